import ArgumentParser
import Foundation
import Hummingbird
import Logging
import Postgres
import S3File
import S3FileHummingbird
import S3FileWorker
import ServiceLifecycle
import UnixSignals

/// A web process that tells statuses, and a worker that has some to tell; the script beside it starts them and the clients.
@main
struct EventsBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events-benchmark",
        abstract: "Serves the status API, and ends uploads at a rate, without a store.",
        subcommands: [Prepare.self, Serve.self, Settle.self]
    )

    static var logger: Logger {
        var logger = Logger(label: "events-benchmark")
        logger.logLevel = .error
        return logger
    }

    /// S3 is never asked: its settings are there because every configuration has them.
    static func s3file(concurrency: Int = 16) throws -> S3FileConfiguration {
        guard let url = ProcessInfo.processInfo.environment["DATABASE_URL"] else {
            throw ValidationError("Set DATABASE_URL to the database to measure in.")
        }
        return try S3FileConfiguration(
            databaseURL: url,
            bucket: "media",
            endpointURL: "http://127.0.0.1:9",
            credentials: .keys(accessKeyID: "benchmark", secretAccessKey: "benchmark"),
            secrets: ["a secret of this benchmark, which signs nothing"],
            workerConcurrency: concurrency
        )
    }
}

/// Enqueues uploads that nobody takes yet; prints what opens each of them.
struct Prepare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Enqueue uploads on hold; print id and token of each, with a dot between."
    )

    @Option var count = 2_000

    func run() async throws {
        let uploads = try Uploads(configuration: EventsBenchmark.s3file(), logger: EventsBenchmark.logger)
        let promises = (0..<self.count).map { _ in
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
                owner: "user-42",
                requestedKey: "uploads/\(name).jpg"
            )
        }
        let enqueued = try await uploads.whileRunning { try await uploads.enqueue(promises, hold: .seconds(3600)) }
        for upload in enqueued {
            print("\(upload.id.uuidString.lowercased()).\(uploads.statusToken(for: upload.id))")
        }
    }
}

/// The web process. It ends on SIGTERM, as in production.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the routes of uploads, until SIGTERM.")

    @Option var port = 55_441

    func run() async throws {
        let uploads = try Uploads(configuration: EventsBenchmark.s3file(), logger: EventsBenchmark.logger)
        let router = Router()
        UploadRoutes(uploads: uploads).add(to: router)
        var app = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: self.port)),
            logger: EventsBenchmark.logger
        )
        app.addServices(uploads)
        try await app.runService()
    }
}

/// A worker as it runs in production, but for S3: a move takes its time and succeeds.
struct Settle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take all uploads that are on hold, and end them at about this rate."
    )

    @Option(help: "Uploads a second.") var rate = 100.0

    func run() async throws {
        let configuration = try EventsBenchmark.s3file(concurrency: 50)
        let work = SlowWork(seconds: 50 / self.rate)
        let pool = try WorkerPool(configuration: configuration, options: .init(), work: work, logger: EventsBenchmark.logger)
        try await ServiceGroup(services: [pool], gracefulShutdownSignals: [.sigterm, .sigint], logger: EventsBenchmark.logger)
            .run()
    }
}

private struct SlowWork: StoreWork {
    let seconds: Double

    func move(_ attempt: Attempt) async -> Outcome {
        guard (try? await Task.sleep(for: .seconds(self.seconds * Double.random(in: 0.5...1.5)))) != nil else {
            return .givenBack
        }
        return .stored(etag: "\"e\"", versionID: nil)
    }

    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
        (objects, nil)
    }
}
