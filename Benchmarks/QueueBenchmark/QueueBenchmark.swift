import ArgumentParser
import Configuration
import Foundation
import Logging
import S3File

/// The queue, driven through the code of production; the scripts beside it start it, and the peers, and compare.
@main
struct QueueBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue-benchmark",
        abstract: "Enqueues and drains uploads without moving bytes; prints a metric and a value a line.",
        subcommands: [Enqueue.self, Bulk.self, EnqueueNowAndThen.self, Worker.self, Presign.self, Forms.self, FormServer.self]
    )

    static var logger: Logger {
        var logger = Logger(label: "queue-benchmark")
        logger.logLevel = .error
        return logger
    }

    static func databaseURL() throws -> String {
        guard let url = ProcessInfo.processInfo.environment["DATABASE_URL"] else {
            throw ValidationError("Set DATABASE_URL to the database to measure in.")
        }
        return url
    }

    /// S3 is never asked: its settings are there because every configuration has them.
    static func s3file(concurrency: Int = 16) throws -> S3FileConfiguration {
        try S3FileConfiguration(
            databaseURL: try self.databaseURL(),
            bucket: "media",
            endpointURL: "http://127.0.0.1:9",
            credentials: .keys(accessKeyID: "benchmark", secretAccessKey: "benchmark"),
            secrets: ["a secret of this benchmark, which signs nothing"],
            workerConcurrency: concurrency
        )
    }

    /// The settings of the environment, for what asks S3.
    static func environment() throws -> S3FileConfiguration {
        try S3FileConfiguration(reader: ConfigReader(provider: EnvironmentVariablesProvider()))
    }

    static func tell(_ metric: String, _ value: Double) {
        print("\(metric)\t\(value)")
    }
}

extension UploadPromise {
    /// One as the middleware verifies them.
    static func sample() -> UploadPromise {
        let id = UUID.version7()
        let name = id.uuidString.lowercased()
        return UploadPromise(
            id: id,
            field: "photo",
            tmpBucket: "media",
            tmpKey: "tmp/s3file/\(name)/photo.jpg",
            filename: "photo.jpg",
            size: 123_456,
            contentType: "image/jpeg",
            etag: "\"\(name)\"",
            versionID: nil,
            owner: "user-\(Int.random(in: 0..<1_000))",
            requestedKey: "uploads/\(name).jpg"
        )
    }
}
