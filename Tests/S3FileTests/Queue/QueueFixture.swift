import Foundation
import Postgres
@testable import S3File
import TestEnvironment

/// Runs with a queue on tables of its own, and a live worker.
func withQueue<R: Sendable>(_ body: (UploadQueue, Int64) async throws -> R) async throws -> R {
    try await withMigratedDatabase { client, _ in
        let queue = UploadQueue(client: client)
        return try await body(queue, try await queue.register(host: "test", pid: 1, version: "0"))
    }
}

extension UploadQueue {
    /// A claim that looks everywhere.
    func claim(worker: Int64, room: Int) async throws -> [Job] {
        try await self.claim(worker: worker, room: room, queues: nil, lanes: nil)
    }

    /// As if it had not been heard of for a minute.
    func expireLease(of worker: Int64) async throws {
        _ = try await self.client.query("update s3file.worker set expires_at = now() - interval '1 minute' where id = \(worker)")
    }

    func setQueue(_ arguments: String) async throws {
        _ = try await self.client.query(SQL(unescaped: "select s3file.set_queue(\(arguments))"))
    }
}

extension UploadPromise {
    /// A promise as verification makes it.
    static func example(
        tmpKey: String = "tmp/s3file/f/\(UUID().uuidString)",
        key: String = "docs/\(UUID().uuidString).pdf",
        filename: String = "report.pdf",
        etag: String = "\"900150983cd24fb0d6963f7d28e17f72\"",
        owner: String? = "user-42",
        storage: StorageSettings? = nil
    ) -> UploadPromise {
        UploadPromise(
            id: .version7(),
            field: "docs",
            tmpBucket: "media",
            tmpKey: tmpKey,
            filename: filename,
            size: 3,
            contentType: "application/pdf",
            etag: etag,
            versionID: nil,
            owner: owner,
            requestedKey: key,
            storage: storage
        )
    }
}
