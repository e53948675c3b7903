import ArgumentParser
import Foundation
import Postgres
import S3File

/// Single uploads, by many tasks at once with a connection each.
struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Enqueue single uploads, each in its own round trip.")

    @Option var connections = 1
    @Option var seconds = 4

    func run() async throws {
        let clock = ContinuousClock()
        let (elapsed, latencies) = try await Self.withQueue(connections: self.connections) { queue in
            let start = clock.now
            let end = start + .seconds(self.seconds)
            let latencies = try await withThrowingTaskGroup(of: [Duration].self) { group in
                for _ in 0..<self.connections {
                    group.addTask {
                        var own: [Duration] = []
                        while clock.now < end {
                            let promise = UploadPromise.sample()
                            let sent = clock.now
                            _ = try await queue.enqueue([promise], hold: nil)
                            own.append(clock.now - sent)
                        }
                        return own
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            return (clock.now - start, latencies)
        }
        let sorted = latencies.sorted()
        QueueBenchmark.tell("rows/s", Double(sorted.count) / (elapsed / .seconds(1)))
        QueueBenchmark.tell("p50 ms", sorted[sorted.count / 2] / .milliseconds(1))
        QueueBenchmark.tell("p99 ms", sorted[sorted.count * 99 / 100] / .milliseconds(1))
    }

    /// A queue whose connections are open before anything is measured.
    static func withQueue<R: Sendable>(connections: Int, _ body: (UploadQueue) async throws -> R) async throws -> R {
        let client = PostgresClient(
            configuration: PostgresConfiguration(url: try QueueBenchmark.databaseURL(), maximumConnections: connections),
            logger: QueueBenchmark.logger
        )
        return try await client.whileRunning {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<connections { group.addTask { try await client.query("select pg_sleep(0.2)") } }
                try await group.waitForAll()
            }
            return try await body(UploadQueue(client: client))
        }
    }
}

/// Many uploads in each round trip.
struct Bulk: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Enqueue many uploads in each round trip.")

    @Option var rows = 100_000
    @Option var batch = 1_000

    func run() async throws {
        try await Enqueue.withQueue(connections: 1) { queue in
            let batches = (0..<self.rows / self.batch).map { _ in (0..<self.batch).map { _ in UploadPromise.sample() } }
            let elapsed = try await ContinuousClock().measure {
                for batch in batches { _ = try await queue.enqueue(batch, hold: nil) }
            }
            QueueBenchmark.tell("rows/s", Double(batches.count * self.batch) / (elapsed / .seconds(1)))
        }
    }
}

/// The enqueuing side of the pick-up latency: prints each upload's id and the moment at which its commit returned.
struct EnqueueNowAndThen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue-now-and-then",
        abstract: "Enqueue single uploads 20 to 120 ms apart; print id and time of the commit."
    )

    @Option var count = 200

    func run() async throws {
        let uploads = try Uploads(configuration: QueueBenchmark.s3file(), logger: QueueBenchmark.logger)
        try await uploads.whileRunning {
            for _ in 0..<self.count {
                try await Task.sleep(for: .milliseconds(Int.random(in: 20...120)))
                let promise = UploadPromise.sample()
                _ = try await uploads.enqueue([promise])
                print(promise.id.uuidString, Date().timeIntervalSince1970)
            }
        }
    }
}
