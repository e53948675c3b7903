import Foundation
import Logging
import NIOCore
import Postgres
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File

/// A bucket on a real server, the tables in a real Postgres, and workers as the processes that operators run.
struct ChaosSite: Sendable {
    /// Straight to Postgres, for the test's own eyes.
    let connections: Connections

    var queue: UploadQueue { self.connections.queue }
    var client: PostgresClient { self.connections.postgres }

    /// - Parameter databaseURL: of a database with our tables.
    @discardableResult
    static func with<R: Sendable>(
        databaseURL: String,
        faults: Faults = Faults(),
        _ body: @Sendable (ChaosSite) async throws -> R
    ) async throws -> R {
        try await TestDevServer.run(configure: { $0.faults = faults }) { server in
            let configuration = try S3FileConfiguration(
                databaseURL: databaseURL,
                bucket: server.bucket,
                endpointURL: server.endpoint,
                credentials: .keys(
                    accessKeyID: server.credentials.accessKeyID,
                    secretAccessKey: server.credentials.secretAccessKey
                ),
                secrets: [S3FileConfiguration.developmentSecret]
            )
            return try await Connections.with(configuration, logger: .quiet) { connections in
                try await body(ChaosSite(connections: connections))
            }
        }
    }

    /// On a cluster of its own, which the test may stop and start.
    @discardableResult
    static func onCluster<R: Sendable>(
        faults: Faults = Faults(),
        _ body: @Sendable (ChaosSite, TestCluster) async throws -> R
    ) async throws -> R {
        try await TestCluster.with(settings: ["max_connections = 200"]) { cluster in
            let client = PostgresClient(configuration: PostgresConfiguration(url: cluster.url), logger: .quiet)
            _ = try await client.whileRunning { try await Migrator.uploads(client).apply(logger: .quiet) }
            return try await self.with(databaseURL: cluster.url, faults: faults) { site in try await body(site, cluster) }
        }
    }

    // MARK: Workers

    /// Runs `s3file worker` beside `body`. Its last words are shown when `body` fails.
    ///
    /// - Parameter databaseURL: as the worker reaches Postgres.
    @discardableResult
    func withWorker<R: Sendable>(
        databaseURL: String? = nil,
        concurrency: Int = 16,
        _ body: @Sendable (Program) async throws -> R
    ) async throws -> (result: R, exitCode: Int32) {
        let configuration = self.connections.configuration
        let environment: [String: String?] = [
            "DATABASE_URL": databaseURL ?? configuration.databaseURL, "AWS_ENDPOINT_URL_S3": configuration.endpointURL,
            "AWS_ACCESS_KEY_ID": configuration.accessKeyID, "AWS_SECRET_ACCESS_KEY": configuration.secretAccessKey,
            "S3FILE_BUCKET": configuration.bucket, "S3FILE_WORKER_CONCURRENCY": "\(concurrency)", "S3FILE_SECRET": nil,
            "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
        ]
        return try await Program.with("\(Program.folder)/s3file", ["worker"], environment: environment) { program in
            do {
                return try await body(program)
            } catch {
                print(program.output.suffix(30).joined(separator: "\n"))
                throw error
            }
        }
    }

    // MARK: Uploads

    /// Puts tmp objects, and enqueues the promises that forms would have brought, again and again while Postgres is away.
    func upload(_ count: Int, storage: StorageSettings? = nil) async throws -> [UUID] {
        let promises = try await withThrowingTaskGroup(of: UploadPromise.self) { group in
            var promises: [UploadPromise] = []
            for number in 0..<count {
                if number >= 16, let promise = try await group.next() { promises.append(promise) }
                group.addTask { try await self.put(storage) }
            }
            for try await promise in group { promises.append(promise) }
            return promises
        }
        return try await eventually {
            // The same promise again is the same upload.
            try? await self.queue.enqueue(promises).map(\.id)
        }
    }

    static func text(of id: UUID) -> String { "the bytes of \(id)" }

    private func put(_ storage: StorageSettings?) async throws -> UploadPromise {
        let (id, bucket) = (UUID.version7(), self.connections.configuration.bucket)
        let key = "tmp/s3file/f/\(id)"
        let text = Self.text(of: id)
        let put = try await self.connections.s3.putObject(
            bucket: bucket,
            key: key,
            body: ByteBuffer(string: text),
            attributes: S3ObjectAttributes(contentType: "text/plain")
        )
        return UploadPromise(
            id: id,
            field: "docs",
            tmpBucket: bucket,
            tmpKey: key,
            filename: "x.txt",
            size: Int64(text.utf8.count),
            contentType: "text/plain",
            etag: put.etag,
            versionID: nil,
            owner: nil,
            requestedKey: "docs/\(id).txt",
            storage: storage
        )
    }

    // MARK: Questions

    /// One number; waits while Postgres is away.
    func number(_ sql: SQL) async throws -> Double {
        try await eventually { try? await self.client.query(sql).first?[0, Double?.self] ?? 0 }
    }

    func storedCount() async throws -> Int {
        Int(try await self.number("select count(*)::float8 from s3file.upload where state = 2"))
    }

    func movingCount() async throws -> Int {
        Int(try await self.number("select count(*)::float8 from s3file.job where worker is not null"))
    }

    func keys(prefix: String) async throws -> Set<String> {
        var (keys, token): (Set<String>, String?) = ([], nil)
        repeat {
            let page = try await self.connections.s3.listObjects(
                bucket: self.connections.configuration.bucket,
                prefix: prefix,
                continuationToken: token
            )
            keys.formUnion(page.objects.map(\.key))
            token = page.nextToken
        } while token != nil
        return keys
    }
}
