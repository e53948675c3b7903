import Foundation
import Logging
import Postgres
import S3File
import ServiceLifecycle
import NIOConcurrencyHelpers

/// Holds a lease, claims under it, moves and settles; when the lease is lost, drops what it had and begins anew under another number.
struct WorkerEngine: Service {
    let connections: Connections
    let work: any StoreWork
    let options: WorkerPool.Options
    let bell: Doorbell
    let logger: Logger

    func run() async throws {
        let stop = StopRequest(bell: self.bell)
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await self.connections.requireSchema(logger: self.logger)
            while !stop.isRequested, !Task.isCancelled {
                guard let lease = await self.register(stop) else { break }
                do {
                    try await self.work(under: lease, stop)
                } catch is LeaseLost {
                    self.logger.warning(
                        "The worker's lease ran out; its results are dropped",
                        metadata: ["worker": "\(lease.worker)"]
                    )
                    // Without its row the others need not wait for the end of a lease that nobody keeps.
                    try? await self.connections.queue.unregister(worker: lease.worker)
                }
            }
        } onCancelOrGracefulShutdown: {
            stop.request()
        }
    }

    /// Registers, however long the database is away; `nil` when a stop was requested meanwhile.
    private func register(_ stop: StopRequest) async -> WorkerLease? {
        var pause = Duration.milliseconds(200)
        while !stop.isRequested, !Task.isCancelled {
            let sentAt = ContinuousClock.now
            do {
                let worker = try await self.connections.queue.register(
                    host: String(ProcessInfo.processInfo.hostName.prefix(200)),
                    pid: ProcessInfo.processInfo.processIdentifier,
                    version: S3FileVersion.current
                )
                self.logger.info(
                    "Worker registered",
                    metadata: ["worker": "\(worker)", "concurrency": "\(self.connections.configuration.workerConcurrency)"]
                )
                return WorkerLease(worker: worker, duration: UploadQueue.leaseDuration, sentAt: sentAt)
            } catch {
                let cause = await self.connections.queue.cause(of: error)
                self.logger.warning("The worker could not register; trying again", metadata: ["error": "\(cause)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
        return nil
    }

    /// All that happens under one lease. Returns when a stop was requested and everything is settled.
    private func work(under lease: WorkerLease, _ stop: StopRequest) async throws {
        let settler = Settler(queue: self.connections.queue, lease: lease, logger: self.logger)
        let tmpDeletion = TmpDeletion(work: self.work, queue: self.connections.queue, logger: self.logger)
        let progress: @Sendable (Job, Int64) async -> Void = { [connections, logger] job, copied in
            do {
                try await connections.queue.progress(of: job, worker: lease.worker, copied: copied)
            } catch {
                logger.debug("Progress was not noted", metadata: ["upload": "\(job.id)", "error": "\(error)"])
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await settler.run() }
            group.addTask { await tmpDeletion.run() }
            group.addTask { await self.listen() }
            group.addTask { await self.poll() }
            group.addTask { await Housekeeping(connections: self.connections, options: self.options, logger: self.logger).run() }
            // Either of these two ends it: the lease by throwing, the dispatcher when a stop was requested.
            defer { group.cancelAll() }
            try await withThrowingTaskGroup(of: Void.self) { deciding in
                deciding.addTask { try await self.heartbeat(lease) }
                deciding.addTask {
                    await Dispatcher(
                        queue: self.connections.queue,
                        lease: lease,
                        concurrency: self.connections.configuration.workerConcurrency,
                        drainTimeout: self.options.drainTimeout,
                        bell: self.bell,
                        stop: stop,
                        logger: self.logger
                    ).run { job in
                        let outcome = await self.work.move(job, mayContinue: { lease.isHeld() }, progress: progress)
                        let settlement = await settler.settle(job, outcome)
                        self.log(job, outcome, settlement?.status)
                        if let batch = settlement?.tmpDeletion { tmpDeletion.add(job.tmpObject(batch: batch)) }
                    }
                }
                defer { deciding.cancelAll() }
                try await deciding.next()
            }
        }
        await tmpDeletion.flush()
        try? await self.connections.queue.unregister(worker: lease.worker)
    }

    private func heartbeat(_ lease: WorkerLease) async throws {
        var pause = UploadQueue.heartbeatInterval
        while true {
            try await Task.sleep(for: pause)
            // Final: what was dropped meanwhile must not come back to life with a late beat.
            guard lease.isHeld() else { throw LeaseLost() }
            let sentAt = ContinuousClock.now
            do {
                guard try await self.connections.queue.beat(worker: lease.worker) else { throw LeaseLost() }
                lease.prolong(sentAt: sentAt)
                pause = UploadQueue.heartbeatInterval
            } catch let error as PostgresError {
                let cause = await self.connections.queue.cause(of: error)
                self.logger.warning("A heartbeat failed; trying again", metadata: ["error": "\(cause)"])
                pause = .seconds(1)
            }
        }
    }

    /// Rings when somebody enqueued. Lost notifications cost at most a poll interval.
    private func listen() async {
        let listener = PostgresListener(
            configuration: self.connections.postgres.configuration,
            channels: [UploadQueue.channel],
            pingingThrough: self.connections.postgres,
            logger: self.logger
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await listener.run() }
            group.addTask { for await _ in listener.notifications { self.bell.ring() } }
            await group.next()
            group.cancelAll()
        }
    }

    private func poll() async {
        self.bell.ring()
        while (try? await Task.sleep(for: self.options.pollInterval * Double.random(in: 0.8...1.2))) != nil { self.bell.ring() }
    }

    private func log(_ job: Job, _ outcome: Outcome, _ status: UploadStatus?) {
        let metadata: Logger.Metadata = ["upload": "\(job.id.uuidString.lowercased())", "attempt": "\(job.attempt)"]
        switch (status, outcome) {
        case (nil, _):
            self.logger.info("The attempt belongs to another worker by now; its result is dropped", metadata: metadata)
        case (_, .failed(let code, let message)), (.failed, .retry(let code, let message, _)):
            self.logger.info("Upload failed: \(message)", metadata: metadata.merging(["code": "\(code)"]) { _, new in new })
        case (_, .parked(let code, let message)):
            self.logger.warning(
                "The store refuses this worker; uploads wait until that is mended: \(message)",
                metadata: metadata.merging(["code": "\(code)"]) { _, new in new }
            )
        case (_, .retry(let code, let message, _)):
            self.logger.info(
                "Upload will be tried again: \(message)",
                metadata: metadata.merging(["code": "\(code)"]) { _, new in new }
            )
        default:
            self.logger.debug("Upload \(status?.rawValue ?? "settled")", metadata: metadata)
        }
    }
}

/// Whether the engine was asked to stop; asking also wakes it.
final class StopRequest: Sendable {
    private let requested = NIOLockedValueBox(false)
    private let bell: Doorbell

    init(bell: Doorbell) { self.bell = bell }

    var isRequested: Bool { self.requested.withLockedValue { $0 } }

    func request() {
        self.requested.withLockedValue { $0 = true }
        self.bell.ring()
    }
}
