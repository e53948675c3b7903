import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

extension Storeroom {
    /// Has an upload stored, as a worker does, and its tmp object deleted.
    @discardableResult
    func store(_ text: String, key: String, leavesTmp: Bool = false) async throws -> UUID {
        let id = try await self.upload(text, key: key)
        let (job, worker) = try await self.claim()
        #expect(job.id == id)
        let outcome = try await self.move(job, worker: worker, capabilities: .all)
        let settled = try await self.queue.settle([(job, outcome)], worker: worker)
        guard let batch = settled[id]?.tmpDeletion else { throw Unexpected(outcome) }
        if !leavesTmp {
            try await self.s3.deleteObject(bucket: job.tmpBucket, key: job.tmpKey)
            try await self.queue.noteTmpDeleted([job.tmpObject(batch: batch)])
        }
        return id
    }

    func put(_ key: String, _ text: String, metadata: [String: String] = [:]) async throws {
        _ = try await self.s3.putObject(
            bucket: self.bucket,
            key: key,
            body: ByteBuffer(string: text),
            attributes: S3ObjectAttributes(contentType: "text/plain", metadata: metadata)
        )
    }

    func delete(_ key: String) async throws {
        try await self.s3.deleteObject(bucket: self.bucket, key: key)
    }

    /// Everything that a test makes is taken to be two days old.
    func reconcile(
        hoursAhead: Double = 48,
        keepingStored retention: Duration? = nil,
        _ change: (inout Reconciler.Options) -> Void = { _ in }
    ) async throws -> (found: [Disagreement], summary: Reconciler.Summary) {
        var options = Reconciler.Options()
        change(&options)
        var settings = self.connections.configuration
        settings.retention.stored = retention
        let ahead = hoursAhead * 3600
        return try await Connections.with(settings, logger: .quiet) { [options] connections in
            var reconciler = Reconciler(connections: connections, options: options, logger: .quiet)
            reconciler.ahead = ahead
            var found: [Disagreement] = []
            let summary = try await reconciler.run { found.append($0) }
            return (found, summary)
        }
    }

    func execute(_ statement: String) async throws {
        _ = try await self.queue.client.query(SQL(unescaped: statement))
    }
}
