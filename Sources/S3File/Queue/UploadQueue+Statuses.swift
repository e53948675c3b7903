package import Foundation
import Postgres

extension UploadQueue {
    /// What ``Upload/init(row:)`` reads, of `s3file.upload_status`.
    static let uploadColumns = """
        id, status, field, owner, filename, size, content_type, bucket, key, attempt, max_attempts, copied_bytes,
        error_code, error_message, error_retryable, created_at, updated_at, stored_at
        """

    /// One upload; `nil` when there is none with this id.
    package func upload(_ id: UUID) async throws -> Upload? {
        try await self.client.query("select \(unescaped: Self.uploadColumns) from s3file.upload_status where id = \(id)")
            .first.map(Upload.init(row:))
    }

    /// Those of these uploads that there are.
    package func uploads(_ ids: [UUID]) async throws -> [UUID: Upload] {
        guard !ids.isEmpty else { return [:] }
        let rows = try await self.client.query(
            "select \(unescaped: Self.uploadColumns) from s3file.upload_status where id = any(\(ids)::uuid[])"
        )
        return Dictionary(try rows.map(Upload.init(row:)).map { ($0.id, $0) }) { first, _ in first }
    }

    /// The newest uploads of one owner; those of one form in its order.
    ///
    /// - Parameter fields: these alone; `nil` for all.
    package func recent(owner: String, fields: [String]? = nil, limit: Int) async throws -> [Upload] {
        let ofFields: SQL = fields.map { "and field = any(\($0))" } ?? ""
        return try await self.client.query(
            """
            select \(unescaped: Self.uploadColumns) from s3file.upload_status
             where owner = \(owner) \(fragment: ofFields) order by created_at desc, id limit \(Int64(limit))
            """
        ).map(Upload.init(row:))
    }

    /// The promise that already claimed a tmp key, if its owner is the one who asks.
    ///
    /// - Parameter bucket: that of stored files.
    package func promise(tmpBucket: String, tmpKey: String, owner: String?, bucket: String) async throws -> UploadPromise? {
        let rows = try await self.client.query(
            "select * from s3file.promise(tmp_bucket => \(tmpBucket), tmp_key => \(tmpKey), owner => \(owner))"
        )
        guard let row = rows.first else { return nil }
        return UploadPromise(
            id: try row["id", UUID.self],
            field: try row["field", String.self],
            tmpBucket: tmpBucket,
            tmpKey: tmpKey,
            filename: try row["filename", String.self],
            size: try row["size", Int64.self],
            contentType: try row["content_type", String.self],
            etag: try row["etag", String.self],
            versionID: try row["version_id", String?.self],
            owner: owner,
            bucket: bucket,
            requestedKey: try row["key", String.self]
        )
    }
}

extension Upload {
    init(row: PostgresRow) throws {
        let word = try row["status", String.self]
        guard let status = UploadStatus(rawValue: word) else {
            throw ConfigurationError("The record has a status that this version does not know: \(word). Update the application.")
        }
        self.init(
            id: try row["id", UUID.self],
            status: status,
            field: try row["field", String.self],
            owner: try row["owner", String?.self],
            filename: try row["filename", String.self],
            size: try row["size", Int64.self],
            contentType: try row["content_type", String.self],
            bucket: try row["bucket", String.self],
            key: try row["key", String?.self],
            attempt: Int(try row["attempt", Int16.self]),
            maxAttempts: Int(try row["max_attempts", Int16.self]),
            progress: Progress(copied: try row["copied_bytes", Int64.self], total: try row["size", Int64.self]),
            error: try row["error_code", String?.self].map {
                Failure(
                    code: $0,
                    message: try row["error_message", String?.self] ?? "",
                    retryable: try row["error_retryable", Bool?.self] ?? false
                )
            },
            createdAt: try row["created_at", Date.self],
            updatedAt: try row["updated_at", Date.self],
            storedAt: try row["stored_at", Date?.self]
        )
    }

    /// As the record has it that was just made of this promise.
    package init(enqueued promise: UploadPromise, id: UUID? = nil, key: String, maxAttempts: Int, at now: Date = Date()) {
        self.init(
            id: id ?? promise.id,
            status: .queued,
            field: promise.field,
            owner: promise.owner,
            filename: promise.filename,
            size: promise.size,
            contentType: promise.contentType,
            bucket: promise.bucket,
            key: key,
            attempt: 0,
            maxAttempts: maxAttempts,
            progress: Progress(copied: 0, total: promise.size),
            error: nil,
            createdAt: now,
            updatedAt: now,
            storedAt: nil
        )
    }
}
