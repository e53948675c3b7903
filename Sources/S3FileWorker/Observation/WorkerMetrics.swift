import CoreMetrics
import Foundation
import S3
import S3File

/// What a worker process tells the metrics, as handles that are made once. A settled batch costs a few additions, and each of its jobs one or
/// two more.
final class WorkerMetrics: Sendable {
    /// What became of an attempt.
    fileprivate enum End: String, CaseIterable {
        case stored, retry, failed, parked
        case givenBack = "given_back"
        case cancelled, expired
        /// Another attempt holds the job by now, and this one's result is dropped.
        case lost

        init(_ outcome: Outcome, _ settlement: Settlement?) {
            switch (settlement?.status, outcome) {
            case (nil, _): self = .lost
            case (.stored, _): self = .stored
            case (.failed, _): self = .failed
            case (.cancelled, _): self = .cancelled
            case (.expired, _): self = .expired
            case (_, .parked): self = .parked
            case (_, .retry): self = .retry
            default: self = .givenBack
            }
        }
    }

    /// How often what stands still is told.
    static let interval = Duration.seconds(1)

    private let factory: any MetricsFactory
    private let settled: [(end: End, counter: Counter)]
    private let failures: CodeCounters
    private let storedBytes: Counter
    private let timeToStored: CoreMetrics.Timer
    let move, exchange: CoreMetrics.Timer
    let exchangeFailures, heartbeatFailures, leasesLost: Counter
    let tmpDeleted, tmpDeletionFailures: Counter
    private let sweeps, failedSweeps, sweptObjects, sweptBytes, sweptUploads, sweptCopies: Counter
    private let sweptAt: Gauge
    private let slots, busy, ahead, unsettled, hasLease, parkedBuckets: Gauge
    let parked = ParkedBuckets()

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        func timer(_ label: String) -> CoreMetrics.Timer { CoreMetrics.Timer(label: label, factory: factory) }
        func gauge(_ label: String, _ dimensions: [(String, String)] = []) -> Gauge {
            Gauge(label: label, dimensions: dimensions, factory: factory)
        }
        self.factory = factory
        self.settled = End.allCases.map { ($0, counter("s3file_settled_total", [("outcome", $0.rawValue)])) }
        self.failures = CodeCounters(label: "s3file_failures_total", factory: factory)
        self.storedBytes = counter("s3file_stored_bytes_total")
        self.timeToStored = timer("s3file_time_to_stored_seconds")
        (self.move, self.exchange) = (timer("s3file_move_seconds"), timer("s3file_exchange_seconds"))
        self.exchangeFailures = counter("s3file_exchange_failures_total")
        self.heartbeatFailures = counter("s3file_heartbeat_failures_total")
        self.leasesLost = counter("s3file_leases_lost_total")
        self.tmpDeleted = counter("s3file_tmp_deleted_total")
        self.tmpDeletionFailures = counter("s3file_tmp_deletion_failures_total")
        self.sweeps = counter("s3file_sweeps_total", [("outcome", "done")])
        self.failedSweeps = counter("s3file_sweeps_total", [("outcome", "failed")])
        self.sweptObjects = counter("s3file_swept_objects_total")
        self.sweptBytes = counter("s3file_swept_bytes_total")
        self.sweptUploads = counter("s3file_swept_uploads_total")
        self.sweptCopies = counter("s3file_swept_copies_total")
        self.sweptAt = gauge("s3file_sweep_done_timestamp_seconds")
        self.slots = gauge("s3file_worker_slots")
        self.busy = gauge("s3file_worker_jobs", [("state", "moving")])
        self.ahead = gauge("s3file_worker_jobs", [("state", "ahead")])
        self.unsettled = gauge("s3file_worker_jobs", [("state", "unsettled")])
        self.hasLease = gauge("s3file_worker_has_lease")
        self.parkedBuckets = gauge("s3file_parked_buckets")
    }

    /// Whether anybody counts.
    var isUsed: Bool { !(self.factory is NOOPMetricsHandler) }

    /// One batch was settled.
    func settled(_ ended: [(job: Job, outcome: Outcome, settlement: Settlement?)]) {
        // Also where nobody counts: heartbeats tell it.
        for (job, outcome, settlement) in ended {
            switch (settlement?.status, outcome) {
            case (.stored, _): self.parked.works(job.bucket)
            case (.queued, .parked(let code, _)): self.parked.refuses(job.bucket, code: code)
            default: break
            }
        }
        guard self.isUsed else { return }
        let now = Date()
        var bytes: Int64 = 0
        var counts = Array(repeating: 0, count: self.settled.count)
        for (job, outcome, settlement) in ended {
            let end = End(outcome, settlement)
            counts[end.place] += 1
            switch end {
            case .stored:
                bytes += job.size
                self.timeToStored.recordNanoseconds(Int64(max(0, now.timeIntervalSince(job.id.madeAt)) * 1e9))
            case .retry, .failed, .parked:
                if let code = outcome.code { self.failures.increment(code) }
            default: break
            }
        }
        for (place, count) in counts.enumerated() where count > 0 { self.settled[place].counter.increment(by: count) }
        self.storedBytes.increment(by: bytes)
    }

    func swept(_ summary: SweepSummary) {
        self.sweeps.increment()
        self.sweptObjects.increment(by: summary.removed)
        self.sweptBytes.increment(by: summary.totalBytesFreed)
        self.sweptUploads.increment(by: summary.uploadsGivenUp)
        self.sweptCopies.increment(by: summary.copiesRemoved)
        self.sweptAt.record(Date().timeIntervalSince1970)
    }

    func sweepFailed() {
        self.failedSweeps.increment()
    }

    /// Until cancelled: how busy the worker is.
    func keepTelling(_ exchange: Exchange, _ lease: WorkerLease, slots: Int) async {
        guard self.isUsed else { return }
        self.slots.record(slots)
        repeat {
            let load = exchange.load
            self.busy.record(load.moving)
            self.ahead.record(load.waiting)
            self.unsettled.record(load.unsettled)
            self.hasLease.record(lease.isCertain() ? 1 : 0)
            self.parkedBuckets.record(self.parked.count())
        } while (try? await Task.sleep(for: Self.interval)) != nil
        for gauge in [self.busy, self.ahead, self.unsettled, self.hasLease] { gauge.record(0) }
    }
}

extension WorkerMetrics.End {
    fileprivate var place: Int {
        switch self {
        case .stored: 0
        case .retry: 1
        case .failed: 2
        case .parked: 3
        case .givenBack: 4
        case .cancelled: 5
        case .expired: 6
        case .lost: 7
        }
    }
}

extension Outcome {
    /// Of what went wrong.
    var code: String? {
        switch self {
        case .retry(let code, _, _), .parked(let code, _), .failed(let code, _): code
        case .stored, .givenBack: nil
        }
    }
}
