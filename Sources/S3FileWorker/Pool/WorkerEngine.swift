import CoreMetrics
import Foundation
import Logging
import Postgres
import S3
import S3File
import ServiceLifecycle

/// Holds a lease and works under it; when the lease is lost, drops what it had and begins anew under another number.
struct WorkerEngine: Service {
    let connections: Connections
    let work: any StoreWork
    /// Where moves run; nil is the concurrency pool.
    let executor: EventLoopTaskExecutor?
    let options: WorkerPool.Options
    let metrics: WorkerMetrics
    let spans: SpanSource
    let health: WorkerHealth
    let logger: Logger

    func run() async throws {
        let stop = StopRequest()
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await self.connections.requireSchema(logger: self.logger)
            while !stop.isRequested, !Task.isCancelled {
                guard let lease = await self.register(stop) else { break }
                self.health.holds(lease)
                defer { self.health.holds(nil) }
                do {
                    try await self.work(under: lease, stop)
                } catch is LeaseLost {
                    self.metrics.leasesLost.increment()
                    self.logger.warning(
                        "The worker's lease was taken; its results are dropped",
                        metadata: ["worker": "\(lease.worker)"]
                    )
                }
            }
            self.health.mainLoop.ended()
        } onCancelOrGracefulShutdown: {
            self.health.database.stop()
            stop.request()
        }
    }

    /// Registers, however long the database is away; `nil` when a stop was requested meanwhile.
    private func register(_ stop: StopRequest) async -> WorkerLease? {
        var pause = Duration.milliseconds(200)
        while !stop.isRequested, !Task.isCancelled {
            let sentAt = ContinuousClock.now
            self.health.mainLoop.turned(now: sentAt)
            do {
                let worker = try await self.connections.queue.register(
                    host: String(ProcessInfo.processInfo.hostName.prefix(200)),
                    pid: ProcessInfo.processInfo.processIdentifier,
                    version: S3FileVersion.current,
                    queues: self.connections.configuration.workerQueues
                )
                self.health.database.answered()
                self.logger.info(
                    "Worker registered",
                    metadata: [
                        "worker": "\(worker)", "concurrency": "\(self.connections.configuration.workerConcurrency)",
                        "queues": "\(self.connections.configuration.workerQueues?.joined(separator: ", ") ?? "all")",
                    ]
                )
                return WorkerLease(worker: worker, duration: UploadQueue.leaseDuration, sentAt: sentAt)
            } catch {
                let cause = await self.connections.queue.cause(of: error)
                if let schema = cause as? SchemaError { self.health.database.answered(schema: schema) }
                self.logger.warning("The worker could not register; trying again", metadata: ["error": "\(cause)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(1))
            }
        }
        return nil
    }

    /// All that happens under one lease. Returns when a stop was requested and everything is settled.
    private func work(under lease: WorkerLease, _ stop: StopRequest) async throws {
        let exchange = Exchange(
            queue: self.connections.queue,
            lease: lease,
            configuration: self.connections.configuration,
            drainTimeout: self.options.drainTimeout,
            metrics: self.metrics,
            spans: self.spans,
            turning: self.health.mainLoop,
            logger: self.logger
        )
        stop.drains(exchange)
        let newsOfStatuses = WakeUp("readers of statuses", logger: self.logger) { [queue = self.connections.queue] in
            try await queue.notifyOfStatuses()
        }
        let tmpDeletion = TmpDeletion(
            work: self.work,
            queue: self.connections.queue,
            metrics: self.metrics,
            logger: self.logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.work.keepInformed() }
            group.addTask { await tmpDeletion.run() }
            group.addTask { await newsOfStatuses.run() }
            group.addTask { await self.listen(exchange) }
            group.addTask { await self.poll(exchange) }
            group.addTask {
                await self.metrics.keepTelling(exchange, lease, slots: self.connections.configuration.workerConcurrency)
            }
            group.addTask(executorPreference: self.executor) { await self.noteTurns() }
            group.addTask {
                await Housekeeping(
                    connections: self.connections,
                    options: self.options,
                    metrics: self.metrics,
                    logger: self.logger
                )
                .run {
                    exchange.ring(notified: true)
                    newsOfStatuses.request()
                }
            }
            // Either of these two ends it: the lease by throwing, the exchange when a stop was requested.
            defer { group.cancelAll() }
            try await withThrowingTaskGroup(of: Void.self) { deciding in
                deciding.addTask { try await self.heartbeat(lease, exchange, stop) }
                deciding.addTask { await self.exchange(exchange, lease, tmpDeletion, newsOfStatuses) }
                defer { deciding.cancelAll() }
                try await deciding.next()
            }
        }
        await tmpDeletion.flush()
        try? await self.connections.queue.unregister(worker: lease.worker)
    }

    private func exchange(
        _ exchange: Exchange,
        _ lease: WorkerLease,
        _ tmpDeletion: TmpDeletion,
        _ newsOfStatuses: WakeUp
    ) async {
        await exchange.run(on: self.executor) {
            newsOfStatuses.request()
        } prepare: { job in
            let attempt = self.attempt(job, lease)
            guard await self.work.asksFirst(attempt) else { return nil }
            return await self.spans.preparing(job, worker: lease.worker) { await self.work.prepare(attempt) }
        } move: { job, preparation in
            let start = ContinuousClock.now
            defer { self.metrics.move.record(since: start) }
            var attempt = self.attempt(job, lease)
            attempt.preparation = preparation
            guard self.spans.tracer != nil else { return await self.work.move(attempt) }
            return await self.spans.moving(job, worker: lease.worker) { [attempt] in await self.work.move(attempt) }
        } settled: { ended in
            for (job, outcome, settlement) in ended { self.log(job, outcome, settlement?.status, lease) }
            self.metrics.settled(ended)
            tmpDeletion.add(ended.compactMap { job, _, settlement in settlement?.tmpDeletion.map { job.tmpObject(batch: $0) } })
        }
    }

    private func attempt(_ job: Job, _ lease: WorkerLease) -> Attempt {
        Attempt(job: job, worker: lease.worker, record: self.connections.queue, logger: self.logger) { try await lease.check() }
    }

    /// Until Postgres says that the lease was taken. That it cannot be reached says nothing yet, however long.
    private func heartbeat(_ lease: WorkerLease, _ exchange: Exchange, _ stop: StopRequest) async throws {
        var pause = UploadQueue.heartbeatInterval
        while true {
            try await Task.sleep(for: pause)
            let sentAt = ContinuousClock.now
            let wasCertain = lease.isCertain(now: sentAt)
            do {
                guard try await self.connections.queue.beat(worker: lease.worker, report: self.report(stop)) else {
                    lease.lose()
                    throw LeaseLost()
                }
                self.health.database.answered()
                lease.prolong(sentAt: sentAt)
                pause = UploadQueue.heartbeatInterval
                if !wasCertain {
                    self.logger.notice("The lease is saved, and work goes on", metadata: ["worker": "\(lease.worker)"])
                    exchange.ring(notified: true)
                }
            } catch let error as PostgresError {
                let cause = await self.connections.queue.cause(of: error)
                self.metrics.heartbeatFailures.increment()
                if let schema = cause as? SchemaError { self.health.database.answered(schema: schema) }
                self.logger.warning("A heartbeat failed; trying again", metadata: ["error": "\(cause)"])
                pause = .seconds(1)
            }
        }
    }

    /// Rings when somebody enqueued. Lost notifications cost at most a poll interval.
    private func listen(_ exchange: Exchange) async {
        let listener = PostgresListener(
            configuration: self.connections.listening,
            channels: [UploadQueue.channel],
            pingingThrough: self.connections.postgres,
            logger: self.logger
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await listener.run() }
            group.addTask {
                for await event in listener.notifications {
                    if case .disconnected = event { continue }
                    exchange.ring(notified: true)
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func poll(_ exchange: Exchange) async {
        repeat {
            exchange.ring(notified: false)
        } while (try? await Task.sleep(for: self.options.pollInterval * Double.random(in: 0.8...1.2))) != nil
    }

    /// Goes round where the moves do, so that it is seen when nothing goes round there any more.
    private func noteTurns() async {
        guard self.executor != nil else { return }
        repeat {
            self.health.eventLoop.turned()
        } while (try? await Task.sleep(for: .seconds(1))) != nil
        self.health.eventLoop.ended()
    }

    private func log(_ job: Job, _ outcome: Outcome, _ status: UploadStatus?, _ lease: WorkerLease) {
        let (level, message, code): (Logger.Level, String, String?) =
            switch (status, outcome) {
            case (nil, _): (.info, "The attempt belongs to another worker by now; its result is dropped", nil)
            case (_, .failed(let code, let message)), (.failed, .retry(let code, let message, _)):
                (.info, "Upload failed: \(message)", code)
            case (_, .parked(let code, let message)):
                (.warning, "The store refuses this worker; uploads wait until that is mended: \(message)", code)
            case (_, .retry(let code, let message, _)): (.info, "Upload will be tried again: \(message)", code)
            default: (.debug, "Upload \(status?.rawValue ?? "settled")", nil)
            }
        guard level >= self.logger.logLevel else { return }
        var metadata: Logger.Metadata = [
            "upload": "\(job.id.uuidString.lowercased())", "attempt": "\(job.attempt)", "worker": "\(lease.worker)",
            "bucket": "\(job.bucket)",
        ]
        if let traceparent = job.traceparent { metadata["trace_id"] = "\(traceparent.traceID)" }
        if let code { metadata["code"] = "\(code)" }
        self.logger.log(level: level, "\(message)", metadata: metadata)
    }
}
