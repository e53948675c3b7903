import Foundation
import Logging
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

/// A bucket on a real server, the tables in a real Postgres, and what a worker is made of.
struct Storeroom: Sendable {
    let connections: Connections

    var bucket: String { self.connections.configuration.bucket }
    var s3: S3Client { self.connections.s3 }
    var queue: UploadQueue { self.connections.queue }

    /// On the development server, which honours every condition that AWS documents.
    static func with<R: Sendable>(
        faults: Faults = Faults(),
        rules: String? = nil,
        _ body: (Storeroom) async throws -> R
    ) async throws -> R {
        let parsed = try rules.map { try FaultRule.parse($0) }
        return try await TestDevServer.run(configure: { ($0.faults, $0.faultRules) = (faults, parsed) }) { server in
            try await self.with(bucket: server.bucket, endpoint: server.endpoint, credentials: server.credentials, body)
        }
    }

    /// On Ceph 16, which ignores the conditions of a copy.
    static func onCeph<R: Sendable>(_ body: (Storeroom) async throws -> R) async throws -> R {
        try await TestStore.withBucket { _, bucket in
            let credentials = S3Credentials(accessKeyID: TestStore.accessKeyID, secretAccessKey: TestStore.secretAccessKey)
            return try await self.with(bucket: bucket, endpoint: TestStore.endpoint, credentials: credentials, body)
        }
    }

    private static func with<R: Sendable>(
        bucket: String,
        endpoint: String?,
        credentials: S3Credentials,
        _ body: (Storeroom) async throws -> R
    ) async throws -> R {
        try await withMigratedDatabase { _, url in
            let configuration = try S3FileConfiguration(
                databaseURL: url,
                bucket: bucket,
                endpointURL: endpoint,
                credentials: .keys(
                    accessKeyID: credentials.accessKeyID,
                    secretAccessKey: credentials.secretAccessKey
                ),
                secrets: [S3FileConfiguration.developmentSecret]
            )
            return try await Connections.with(configuration, logger: .quiet) { connections in
                try await body(Storeroom(connections: connections))
            }
        }
    }

    /// Puts a tmp object, and enqueues the promise that a form would have brought.
    func upload(
        _ text: String,
        key: String = "docs/\(UUID().uuidString).txt",
        filename: String = "a&b<c>.txt",
        attributes: S3ObjectAttributes = S3ObjectAttributes(contentType: "text/html"),
        storage: StorageSettings? = nil
    ) async throws -> UUID {
        let tmpKey = "tmp/s3file/f/\(UUID().uuidString)"
        let put = try await self.s3.putObject(
            bucket: self.bucket,
            key: tmpKey,
            body: ByteBuffer(string: text),
            attributes: attributes
        )
        let promise = UploadPromise(
            id: .version7(),
            field: "docs",
            tmpBucket: self.bucket,
            tmpKey: tmpKey,
            filename: filename,
            size: Int64(text.utf8.count),
            contentType: attributes.contentType ?? "application/octet-stream",
            etag: put.etag,
            versionID: put.versionID,
            owner: nil,
            requestedKey: key,
            storage: storage
        )
        return try await self.queue.enqueue([promise], hold: nil)[0].id
    }

    /// Enqueues promises without any object in the store.
    func enqueueUnmoved(_ count: Int, placement: QueuePlacement = QueuePlacement()) async throws -> [UUID] {
        let promises = (0..<count).map { _ in
            let id = UUID.version7()
            return UploadPromise(
                id: id,
                field: "docs",
                tmpBucket: self.bucket,
                tmpKey: "tmp/s3file/f/\(id)",
                filename: "x.txt",
                size: 1,
                contentType: "text/plain",
                etag: "\"1\"",
                versionID: nil,
                owner: nil,
                requestedKey: "docs/\(id).txt"
            )
        }
        return try await self.queue.enqueue(promises, placement: placement).map(\.id)
    }

    func text(at key: String) async throws -> String {
        let body = try await self.s3.getObject(bucket: self.bucket, key: key)
        return String(buffer: try await body.collect(upTo: 1 << 20))
    }

    func keys(prefix: String = "") async throws -> [String] {
        try await self.s3.listObjects(bucket: self.bucket, prefix: prefix).objects.map(\.key)
    }

    /// Claims the one job there is, under a lease of its own.
    func claim() async throws -> (job: Job, worker: Int64) {
        let worker = try await self.queue.register(host: "test", pid: 1, version: "0")
        return (try #require(try await self.queue.claim(worker: worker, room: 1, queues: nil, lanes: nil).first), worker)
    }

    func attempt(
        _ job: Job,
        worker: Int64,
        checkLease: @escaping @Sendable () async throws -> Void = {}
    ) -> Attempt {
        Attempt(job: job, worker: worker, record: self.queue, logger: .quiet, checkLease: checkLease)
    }

    /// Claims the one job there is, and moves it.
    func move(options: WorkerPool.Options = .init(), capabilities: S3Capabilities? = nil) async throws -> Outcome {
        let (job, worker) = try await self.claim()
        return try await self.move(job, worker: worker, options: options, capabilities: capabilities)
    }

    /// Moves one job as a worker does, with what the store says it honours.
    func move(
        _ job: Job,
        worker: Int64,
        options: WorkerPool.Options = .init(),
        capabilities: S3Capabilities? = nil,
        checkLease: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> Outcome {
        let found =
            if let capabilities {
                capabilities
            } else {
                try await S3CapabilityProbe(client: self.s3, sourceBucket: job.tmpBucket, bucket: job.bucket, prefix: "tmp").run()
            }
        return await Mover(
            s3: self.s3,
            options: options,
            capabilities: found,
            attempt: self.attempt(job, worker: worker, checkLease: checkLease)
        ).move()
    }
}

extension S3Capabilities {
    /// Of a store that honours whatever AWS documents, but keeps no versions.
    static var all: S3Capabilities {
        var all = S3Capabilities()
        (all.copySourceIfMatch, all.partCopySourceIfMatch) = (true, true)
        (all.copyIfNoneMatch, all.completeIfNoneMatch) = (true, true)
        (all.deleteIfMatch, all.batchDeleteIfMatch, all.checksums) = (true, true, true)
        return all
    }
}
