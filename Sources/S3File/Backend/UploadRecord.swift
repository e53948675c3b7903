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
    func recent(owner: String, limit: Int) async throws -> [Upload]
    func promise(tmpBucket: String, tmpKey: String, owner: String?, bucket: String) async throws -> UploadPromise?
    func notify() async throws
}

extension UploadQueue: UploadRecord {}
