package import Foundation
import Postgres

extension UploadQueue {
    /// What ``Upload/init(row:)`` reads, from the alias `u`.
    static let uploadColumns = """
        u.id, u.state, u.field, u.owner, u.filename, u.size, u.content_type, u.bucket, u.key, u.attempt, u.max_attempts, u.copied,
        u.error_code, u.error_message, u.error_retryable, u.created_at, u.updated_at, u.finished_at
        """

    /// One upload; `nil` when there is none with this id.
    package func upload(_ id: UUID) async throws -> Upload? {
        try await self.client.query("select \(unescaped: Self.uploadColumns) from s3file.upload u where u.id = \(id)")
            .first.map(Upload.init(row:))
    }

    /// The newest uploads of one owner; those of one form in its order.
    package func recent(owner: String, limit: Int) async throws -> [Upload] {
        try await self.client.query(
            """
            select \(unescaped: Self.uploadColumns) from s3file.upload u
             where u.owner = \(owner) order by u.created_at desc, u.id limit \(Int64(limit))
            """
        ).map(Upload.init(row:))
    }

    /// The promise that already claimed a tmp key, if its owner is the one who asks.
    package func promise(tmpBucket: String, tmpKey: String, owner: String?) async throws -> UploadPromise? {
        let rows = try await self.client.query(
            """
            select u.id, u.field, u.filename, u.size, u.content_type, u.etag, u.version_id, u.key
              from s3file.upload u
             where u.tmp_bucket = \(tmpBucket) and u.tmp_key = \(tmpKey) and u.owner is not distinct from \(owner) and u.state in (0, 1, 2)
            """
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
            requestedKey: try row["key", String.self]
        )
    }
}

extension Upload {
    init(row: PostgresRow) throws {
        let state = try row["state", Int16.self]
        guard let status = UploadStatus(state: state) else {
            throw ConfigurationError(
                "The upload table has a state that this version does not know: \(state). Update the application."
            )
        }
        let size = try row["size", Int64.self]
        let code = try row["error_code", String?.self]
        self.init(
            id: try row["id", UUID.self],
            status: status,
            field: try row["field", String.self],
            owner: try row["owner", String?.self],
            filename: try row["filename", String.self],
            size: size,
            contentType: try row["content_type", String.self],
            bucket: try row["bucket", String.self],
            key: try row["key", String?.self],
            attempt: Int(try row["attempt", Int16.self]),
            maxAttempts: Int(try row["max_attempts", Int16.self]),
            progress: Progress(copied: status == .stored ? size : try row["copied", Int64.self], total: size),
            error: try code.map {
                Failure(
                    code: $0,
                    message: try row["error_message", String?.self] ?? "",
                    retryable: try row["error_retryable", Bool?.self] ?? false
                )
            },
            createdAt: try row["created_at", Date.self],
            updatedAt: try row["updated_at", Date.self],
            storedAt: status == .stored ? try row["finished_at", Date?.self] : nil
        )
    }
}
