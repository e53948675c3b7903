import ArgumentParser
import CoreMetrics
import Foundation
import S3File
import S3FileObservability
import S3FileWorker
import ServiceLifecycle
import Synchronization
import UnixSignals

/// A worker process as it runs in production, but for S3: nothing is copied, and tmp objects are gone when they are asked to be.
struct Worker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Drain the queue without moving bytes, until it stays empty.")

    @Option(help: "Uploads moved at a time.") var concurrency = 400
    @Option(help: "Begin at this time, in seconds since 1970, with the other processes.") var startAt: Double?
    @Option(help: "End when nothing came for so many seconds; 0 waits for SIGTERM.") var idle = 1.5
    @Option(help: "End after about so many uploads.") var limit = Int.max
    @Option(help: "Seconds that each move takes.") var moveSeconds = 0.0
    @Flag(help: "Count for Prometheus, as a worker with a health port does.") var metrics = false
    @Flag(help: "Print each upload's id and the moment at which it was claimed.") var note = false

    func run() async throws {
        if self.metrics { MetricsSystem.bootstrap(PrometheusMetrics()) }
        let work = NoWork(notes: self.note, moveSeconds: self.moveSeconds)
        let pool = try WorkerPool(
            configuration: QueueBenchmark.s3file(concurrency: self.concurrency),
            options: .init(),
            work: work,
            logger: QueueBenchmark.logger
        )
        if let startAt { try await Task.sleep(for: .seconds(startAt - Date().timeIntervalSince1970)) }
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: pool),
                    .init(
                        service: End(work: work, idle: self.idle, limit: self.limit),
                        successTerminationBehavior: .gracefullyShutdownGroup
                    ),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: QueueBenchmark.logger
            )
        ).run()
        if !self.note {
            QueueBenchmark.tell("moved", Double(work.moved))
            QueueBenchmark.tell("peak MB", Double(try Self.peakMemory()) / 1_024)
        }
    }

    /// Kilobytes.
    private static func peakMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first ?? "") ?? 0
    }
}

/// Ends the group when the work is done.
private struct End: Service {
    let work: NoWork
    let idle: Double
    let limit: Int

    func run() async throws {
        var (seen, seenAt) = (0, ContinuousClock.now)
        while (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(20)) }) != nil {
            let moved = self.work.moved
            if moved >= self.limit { return }
            if moved != seen { (seen, seenAt) = (moved, .now) }
            if self.idle > 0, ContinuousClock.now - seenAt > .seconds(self.idle) { return }
        }
    }
}

/// Everything succeeds at once.
private final class NoWork: StoreWork {
    private let count = Atomic(0)
    private let notes: Bool
    private let moveSeconds: Double

    init(notes: Bool, moveSeconds: Double) {
        self.notes = notes
        self.moveSeconds = moveSeconds
    }

    var moved: Int { self.count.load(ordering: .relaxed) }

    func move(_ attempt: Attempt) async -> Outcome {
        let job = attempt.job
        if self.notes {
            // Not by `print`, which buffers: other programs wait for these lines, or this one is killed.
            FileHandle.standardOutput.write(Data("\(job.id.uuidString) \(Date().timeIntervalSince1970)\n".utf8))
        }
        self.count.add(1, ordering: .relaxed)
        if self.moveSeconds > 0, (try? await Task.sleep(for: .seconds(self.moveSeconds))) == nil { return .givenBack }
        return .stored(etag: job.etag, versionID: nil)
    }

    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
        (objects, nil)
    }
}
