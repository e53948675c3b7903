import CoreMetrics
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Postgres
import S3
import S3File
import Tracing

/// Keeps up to `concurrency` jobs moving: claims, settles, and ends when asked to. ``ExchangeState`` decides.
final class Exchange: Sendable {
    private let queue: UploadQueue
    private let lease: WorkerLease
    private let queues: [String]?
    private let metrics: WorkerMetrics
    private let spans: SpanSource
    private let turned: Pulse
    private let logger: Logger
    private let state: NIOLockedValueBox<ExchangeState>
    private let bell = Doorbell()

    init(
        queue: UploadQueue,
        lease: WorkerLease,
        configuration: S3FileConfiguration,
        drainTimeout: Duration,
        metrics: WorkerMetrics = WorkerMetrics(),
        spans: SpanSource = SpanSource(),
        turning turned: Pulse = Pulse(),
        logger: Logger
    ) {
        self.queue = queue
        self.lease = lease
        self.queues = configuration.workerQueues
        self.metrics = metrics
        self.spans = spans
        self.turned = turned
        self.logger = logger
        self.state = NIOLockedValueBox(
            ExchangeState(
                concurrency: configuration.workerConcurrency,
                // More would wait for each other's locks, and for connections.
                mostErrands: min(2, queue.client.configuration.maximumConnections / 2),
                drainTimeout: drainTimeout,
                now: .now
            )
        )
    }

    /// What is in hand.
    var load: (moving: Int, waiting: Int, unsettled: Int) { self.state.withLockedValue { $0.load } }

    /// There may be jobs: somebody enqueued, or it is time to look.
    func ring(notified: Bool) {
        self.state.withLockedValue { $0.ring(notified: notified) }
        self.bell.ring()
    }

    /// No more claims; what is in flight has the drain time to end.
    func drain() {
        self.state.withLockedValue { $0.drain(now: .now) }
        self.bell.ring()
    }

    /// Until everything is settled after ``drain()``, or until it is cancelled, which drops what is in flight.
    ///
    /// - Parameters:
    ///   - executor: where moves run; nil is the concurrency pool.
    ///   - recorded: is told that Postgres has recorded a claim or a settle.
    ///   - prepare: asks for one job what its move would, before its turn.
    ///   - move: moves one job, with what was asked for it; it ends soon after its task is cancelled.
    ///   - settled: is told what became of outcomes; without a settlement, the attempt is another worker's by now.
    func run(
        on executor: EventLoopTaskExecutor?,
        recorded: @escaping @Sendable () -> Void,
        prepare: @escaping @Sendable (Job) async -> Preparation?,
        move: @escaping @Sendable (Job, Preparation?) async -> Outcome,
        settled: @escaping @Sendable ([(job: Job, outcome: Outcome, settlement: Settlement?)]) -> Void
    ) async {
        await withDiscardingTaskGroup { moves in
            await withDiscardingTaskGroup { errands in
                loop: while !Task.isCancelled {
                    let now = ContinuousClock.now
                    self.turned.turned(now: now)
                    let mayClaim = self.lease.isCertain(now: now)
                    switch self.state.withLockedValue({ $0.next(now: now, mayClaim: mayClaim) }) {
                    case .move(let jobs):
                        for job in jobs {
                            moves.addTask(executorPreference: executor) {
                                await self.keepMoving(from: job, on: executor, prepare, move)
                            }
                        }
                    case .exchange(let errand):
                        errands.addTask { await self.run(errand, recorded, settled) }
                    case .giveBackOthers(let inFlight):
                        errands.addTask { await self.giveBackOthers(inFlight) }
                    case .cancelMoves:
                        moves.cancelAll()
                    case .wait(let until):
                        await self.bell.wait(until: until)
                    case .end:
                        break loop
                    }
                }
                errands.cancelAll()
                moves.cancelAll()
            }
        }
    }

    /// One slot: what is next in it needs neither a task of its own nor the loop around this to be told.
    private func keepMoving(
        from job: Job,
        on executor: EventLoopTaskExecutor?,
        _ prepare: @escaping @Sendable (Job) async -> Preparation?,
        _ move: (Job, Preparation?) async -> Outcome
    ) async {
        let eventLoop = executor?.eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        await withDiscardingTaskGroup { preparations in
            var next: Job? = job
            while let job = next {
                var begun: [(Job, EventLoopPromise<Preparation?>)] = []
                let preparation = self.state.withLockedValue { state in
                    state.turn(of: job) { upcoming in
                        let promise = eventLoop.makePromise(of: Preparation?.self)
                        begun.append((upcoming, promise))
                        return promise.futureResult
                    }
                }
                for (upcoming, promise) in begun {
                    preparations.addTask(executorPreference: executor) { promise.succeed(await prepare(upcoming)) }
                }
                // Not there yet, it was asked before, and comes sooner than if it were asked now.
                let outcome = await move(job, try? await preparation?.get())
                let ended = self.state.withLockedValue { $0.moved((job, outcome), now: .now) }
                if ended.isReason { self.bell.ring() }
                next = ended.next
            }
        }
    }

    private func run(
        _ errand: ExchangeState.Errand,
        _ recorded: () -> Void,
        _ settled: ([(job: Job, outcome: Outcome, settlement: Settlement?)]) -> Void
    ) async {
        let start = ContinuousClock.now
        // Asked for only where it is told: it is another clock.
        let claimStart = self.spans.tracer == nil ? nil : DefaultTracerClock.now
        do {
            let (settlements, jobs) = try await self.send(errand)
            self.metrics.exchange.record(since: start)
            if let claimStart, !jobs.isEmpty { self.spans.claimed(jobs.count, worker: self.lease.worker, since: claimStart) }
            if !settlements.isEmpty || !jobs.isEmpty { recorded() }
            let blocked = Set(settlements.filter { $0.value.status == .moving }.keys)
            self.state.withLockedValue { $0.done(errand, claimed: jobs, blocked: blocked, now: .now) }
            self.bell.ring()
            if !blocked.isEmpty {
                self.logger.log(
                    level: errand.isAgain ? .debug : .info,
                    "Open transactions hold jobs that have ended; they are recorded when those end",
                    metadata: ["uploads": "\(blocked.count)", "upload": "\(blocked.first?.uuidString.lowercased() ?? "")"]
                )
            }
            let ended = errand.outcomes.filter { !blocked.contains($0.job.id) }
            if !ended.isEmpty { settled(ended.map { ($0.job, $0.outcome, settlements[$0.job.id]) }) }
        } catch {
            if !Task.isCancelled {
                self.metrics.exchangeFailures.increment()
                let cause = await self.queue.cause(of: error)
                self.logger.warning(
                    "Claiming and settling failed; trying again",
                    metadata: ["error": "\(cause)", "outcomes": "\(errand.outcomes.count)"]
                )
            }
            self.state.withLockedValue { $0.failed(errand, now: .now) }
            self.bell.ring()
        }
    }

    private func send(_ errand: ExchangeState.Errand) async throws -> (settlements: [UUID: Settlement], jobs: [Job]) {
        let worker = self.lease.worker
        guard let look = errand.look else { return (try await self.queue.settle(errand.outcomes, worker: worker), []) }
        let lanes: [Lane]? =
            switch look.place {
            case .everywhere: nil
            case .lanes(let lanes): lanes
            }
        if errand.outcomes.isEmpty {
            return ([:], try await self.queue.claim(worker: worker, room: look.room, queues: self.queues, lanes: lanes))
        }
        let (settlements, jobs) = try await self.queue.settleAndClaim(
            errand.outcomes,
            worker: worker,
            room: look.room,
            queues: self.queues,
            lanes: lanes
        )
        return (settlements, jobs)
    }

    private func giveBackOthers(_ inFlight: [UUID]) async {
        var worked = false
        do {
            let count = try await self.queue.giveBackOthers(worker: self.lease.worker, inFlight: inFlight)
            if count > 0 {
                self.logger.info("Jobs whose claim or settle went astray were put back", metadata: ["count": "\(count)"])
                self.state.withLockedValue { $0.ring(notified: true) }
            }
            worked = true
        } catch {
            self.logger.debug("What is in flight could not be compared", metadata: ["error": "\(error)"])
        }
        self.state.withLockedValue { [worked] in $0.compared(worked, now: .now) }
        self.bell.ring()
    }
}
