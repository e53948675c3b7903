package import Foundation

/// What the web side asks of the record of uploads. ``UploadQueue`` keeps it in Postgres, and documents each of these.
package protocol UploadRecord: Sendable {
    func enqueue(
        _ promises: [UploadPromise],
        hold: Duration?,
        metadata: String?,
        placement: QueuePlacement
    ) async throws -> [Upload]
    func release(_ ids: [UUID]) async throws
    func cancelHeld(_ ids: [UUID]) async throws
    func cancel(_ ids: [UUID]) async throws
    func retry(_ ids: [UUID]) async throws -> Int
    func upload(_ id: UUID) async throws -> Upload?
    func uploads(_ ids: [UUID]) async throws -> [UUID: Upload]
    /// - Parameter fields: these alone; `nil` for all.
    func recent(owner: String, fields: [String]?, limit: Int) async throws -> [Upload]
    func promise(tmpBucket: String, tmpKey: String, owner: String?, bucket: String) async throws -> UploadPromise?
    func notify() async throws
    /// Tells the feeds of all processes that statuses have changed.
    func notifyOfStatuses() async throws

    /// The newest ids of events, some of them at least.
    func newestEvents() async throws -> [Int64]
    /// What each event after one was about, in their order, and those before it that are among `gaps`.
    func events(after last: Int64, gaps: [Int64], limit: Int) async throws -> [(id: Int64, uploads: [UUID])]
    func events(of ids: [UUID], after event: Int64) async throws -> [UploadEvent]
}

/// A record without events is read now and then.
extension UploadRecord {
    package func notifyOfStatuses() async throws {}
    package func newestEvents() async throws -> [Int64] { [] }
    package func events(after last: Int64, gaps: [Int64], limit: Int) async throws -> [(id: Int64, uploads: [UUID])] { [] }
    package func events(of ids: [UUID], after event: Int64) async throws -> [UploadEvent] { [] }
}

extension UploadQueue: UploadRecord {}
