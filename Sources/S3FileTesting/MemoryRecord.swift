import S3File
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The record of uploads in memory, by the rules of `s3file.enqueue` and its sisters. Nothing moves by itself, and no time passes.
final class MemoryRecord: UploadRecord {
    private struct Row {
        var upload: Upload
        var promise: UploadPromise
        var isHeld: Bool
        /// Given up by the end of a hold, and not by somebody.
        var wasHeld = false
        /// Order of arrival.
        var number: Int
    }

    private let rows = Mutex<[UUID: Row]>([:])
    private let hasObject: @Sendable (_ bucket: String, _ key: String) -> Bool

    init(hasObject: @escaping @Sendable (_ bucket: String, _ key: String) -> Bool) {
        self.hasObject = hasObject
    }

    // MARK: Enqueuing

    func enqueue(
        _ promises: [UploadPromise],
        hold: Duration?,
        metadata: String?,
        placement: QueuePlacement
    ) async throws -> [Upload] {
        try self.rows.withLock { rows in
            // All or none, and all at one moment.
            var changed = rows
            let now = Date()
            let uploads = try promises.map {
                try Self.enqueue($0, isHeld: hold != nil, maxAttempts: Int(placement.maxAttempts), at: now, in: &changed)
            }
            rows = changed
            return uploads
        }
    }

    private static func enqueue(
        _ promise: UploadPromise,
        isHeld: Bool,
        maxAttempts: Int,
        at now: Date,
        in rows: inout [UUID: Row]
    ) throws -> Upload {
        let known = rows.values.first { $0.promise.tmpBucket == promise.tmpBucket && $0.promise.tmpKey == promise.tmpKey }
        guard var row = known else {
            let taken = Set(rows.values.compactMap { $0.upload.bucket == promise.bucket ? $0.upload.key : nil })
            var key = promise.requestedKey
            while taken.contains(key) { key = Filename.alternative(toKey: promise.requestedKey) }
            let upload = Upload(enqueued: promise, key: key, maxAttempts: maxAttempts, at: now)
            rows[upload.id] = Row(upload: upload, promise: promise, isHeld: isHeld, number: rows.count)
            return upload
        }
        func refusal(_ code: UploadError.Code, _ why: String) -> UploadError {
            UploadError(code, field: promise.field, filename: promise.filename, message: "\"\(promise.filename)\" \(why).")
        }
        guard row.upload.owner == promise.owner else {
            throw refusal(.claimedByAnother, "was sent before by another user or session")
        }
        switch row.upload.status {
        case .expired: throw refusal(.expired, "waited too long and was removed")
        case .failed, .cancelled:
            row.promise = promise
            row.upload.status = .queued
            row.upload.error = nil
            row.isHeld = isHeld
        case .queued, .moving, .stored:
            guard row.promise.etag == promise.etag else { throw refusal(.replaced, "was replaced after it had been sent") }
            if !isHeld { row.isHeld = false }
        }
        rows[row.upload.id] = row
        return row.upload
    }

    func release(_ ids: [UUID]) async throws {
        self.change(ids) { row in
            row.isHeld = false
            if row.upload.status == .cancelled, row.wasHeld { (row.upload.status, row.upload.error) = (.queued, nil) }
        }
    }

    func cancelHeld(_ ids: [UUID]) async throws {
        self.change(ids) { row in
            guard row.isHeld, row.upload.status == .queued else { return }
            (row.isHeld, row.wasHeld, row.upload.status) = (false, true, .cancelled)
            row.upload.error = Upload.Failure(code: "form_refused", message: "The form was not accepted.", retryable: true)
        }
    }

    func cancel(_ ids: [UUID]) async throws {
        self.change(ids) { row in
            guard !row.upload.status.isFinal else { return }
            (row.isHeld, row.wasHeld, row.upload.status) = (false, false, .cancelled)
            row.upload.error = nil
        }
    }

    func retry(_ ids: [UUID]) async throws -> Int {
        var count = 0
        self.change(ids) { row in
            guard [.failed, .cancelled].contains(row.upload.status), self.hasObject(row.promise.tmpBucket, row.promise.tmpKey)
            else {
                return
            }
            row.upload.status = .queued
            row.upload.error = nil
            count += 1
        }
        return count
    }

    private func change(_ ids: [UUID], _ change: (inout Row) -> Void) {
        self.rows.withLock { rows in
            for id in ids {
                guard var row = rows[id] else { continue }
                let before = row.upload
                change(&row)
                if row.upload != before { row.upload.updatedAt = Date() }
                rows[id] = row
            }
        }
    }

    // MARK: Reading

    func upload(_ id: UUID) async throws -> Upload? {
        self.rows.withLock { $0[id]?.upload }
    }

    func uploads(_ ids: [UUID]) async throws -> [UUID: Upload] {
        self.rows.withLock { rows in
            Dictionary(ids.compactMap { id in rows[id].map { (id, $0.upload) } }) { first, _ in first }
        }
    }

    func recent(owner: String, limit: Int) async throws -> [Upload] {
        self.rows.withLock { rows in
            // The newest form's first, and those of one form in its order, which is that of their ids.
            let own = rows.values.map(\.upload).filter { $0.owner == owner }
            return Array(
                own.sorted { ($1.createdAt, $0.id.uuidString) < ($0.createdAt, $1.id.uuidString) }.prefix(limit)
            )
        }
    }

    func promise(tmpBucket: String, tmpKey: String, owner: String?, bucket: String) async throws -> UploadPromise? {
        self.rows.withLock { rows in
            rows.values.first { row in
                row.promise.tmpBucket == tmpBucket && row.promise.tmpKey == tmpKey && row.upload.owner == owner
                    && [.queued, .moving, .stored].contains(row.upload.status)
            }?.promise
        }
    }

    func notify() async throws {}

    // MARK: For the test

    var all: [Upload] {
        self.rows.withLock { rows in rows.values.sorted { $0.number < $1.number }.map(\.upload) }
    }

    func isHeld(_ id: UUID) -> Bool {
        self.rows.withLock { $0[id]?.isHeld ?? false }
    }

    /// Begins an attempt.
    func claim(_ id: UUID) throws -> UploadPromise {
        try self.rows.withLock { rows in
            guard var row = rows[id] else { throw TestUploadsError(description: "There is no upload \(id)") }
            guard row.upload.status == .queued, !row.isHeld else {
                let state = row.isHeld ? "held for its handler" : row.upload.status.rawValue
                throw TestUploadsError(description: "Upload \(id) is \(state): only queued ones are moved")
            }
            row.upload.status = .moving
            row.upload.attempt += 1
            rows[id] = row
            return row.promise
        }
    }

    func settle(_ id: UUID, as status: UploadStatus, error: Upload.Failure?) throws -> Upload {
        try self.rows.withLock { rows in
            guard var row = rows[id] else { throw TestUploadsError(description: "There is no upload \(id)") }
            guard !row.upload.status.isFinal else {
                throw TestUploadsError(description: "Upload \(id) is \(row.upload.status.rawValue) already")
            }
            row.isHeld = false
            row.upload.status = status
            row.upload.error = error
            row.upload.updatedAt = Date()
            if status == .stored {
                row.upload.storedAt = row.upload.updatedAt
                row.upload.progress.copied = row.upload.size
            }
            rows[id] = row
            return row.upload
        }
    }
}
