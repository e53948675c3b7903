import Foundation
import Postgres
import S3File
import S3FileWorker
import ServiceLifecycle
import TestEnvironment

extension StoreSite {
    /// Runs a worker until an upload has ended.
    func move(_ id: UUID, options: WorkerPool.Options = .init()) async throws -> Upload {
        let pool = try WorkerPool(configuration: self.connections.configuration, options: options, logger: .quiet)
        return try await self.running(pool) { try await self.ended(id) }
    }

    /// An upload, as soon as it has ended.
    func ended(_ id: UUID) async throws -> Upload {
        try await eventually {
            guard let upload = try await self.queue.upload(id), upload.status != .queued, upload.status != .moving else {
                return nil
            }
            return upload
        }
    }

    func guarantee(_ id: UUID) async throws -> String? {
        try await self.connections.postgres.query("select guarantee::text from s3file.upload_status where id = \(id)")
            .first?["guarantee", String?.self]
    }

    func running<R: Sendable>(_ pool: WorkerPool, _ body: () async throws -> R) async throws -> R {
        let group = ServiceGroup(services: [pool], logger: .quiet)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let result: Result<R, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return try result.get()
        }
    }
}
