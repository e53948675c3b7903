import CoreMetrics
import Foundation
import Logging
import Postgres
import ServiceLifecycle

/// Reads now and then how the queues stand, and tells the metrics: what is scraped costs Postgres nothing.
struct QueueGauges {
    static let interval = Duration.seconds(10)

    private let queue: UploadQueue
    private let factory: any MetricsFactory
    private let logger: Logger
    private let reading: CoreMetrics.Timer
    private let failures: Counter
    private let isUp, clockOffset, workers, lateWorkers, tmpBatches: Gauge
    private var gauges: [String: QueueSeries] = [:]
    private var tasks: [String: Gauge] = [:]

    private struct QueueSeries {
        let due, later, moving, oldest, paused, estimated: Gauge

        init(_ queue: String, _ factory: any MetricsFactory) {
            func gauge(_ label: String, _ dimensions: [(String, String)] = []) -> Gauge {
                Gauge(label: label, dimensions: [("queue", queue)] + dimensions, factory: factory)
            }
            self.due = gauge("s3file_queue_jobs", [("state", "due")])
            self.later = gauge("s3file_queue_jobs", [("state", "later")])
            self.moving = gauge("s3file_queue_jobs", [("state", "moving")])
            self.oldest = gauge("s3file_queue_oldest_seconds")
            self.paused = gauge("s3file_queue_paused")
            self.estimated = gauge("s3file_queue_jobs_estimated")
        }

        func tell(_ reading: QueueReading) {
            self.due.record(reading.due)
            self.later.record(reading.later)
            self.moving.record(reading.moving)
            self.oldest.record(reading.oldestSeconds)
            self.paused.record(reading.isPaused ? 1 : 0)
            self.estimated.record(reading.isEstimated ? 1 : 0)
        }

        func destroy() {
            for gauge in [self.due, self.later, self.moving, self.oldest, self.paused, self.estimated] { gauge.destroy() }
        }
    }

    init(queue: UploadQueue, logger: Logger) {
        let factory = queue.metrics.factory
        func gauge(_ label: String, _ dimensions: [(String, String)] = []) -> Gauge {
            Gauge(label: label, dimensions: dimensions, factory: factory)
        }
        self.queue = queue
        self.factory = factory
        self.logger = logger
        self.reading = CoreMetrics.Timer(label: "s3file_queue_reading_seconds", factory: factory)
        self.failures = Counter(label: "s3file_queue_reading_failures_total", factory: factory)
        self.isUp = gauge("s3file_postgres_up")
        self.clockOffset = gauge("s3file_postgres_clock_offset_seconds")
        self.workers = gauge("s3file_workers", [("state", "alive")])
        self.lateWorkers = gauge("s3file_workers", [("state", "late")])
        self.tmpBatches = gauge("s3file_tmp_deletion_batches")
    }

    /// Until cancelled.
    mutating func keepTelling() async {
        var pause = Self.interval
        repeat {
            let start = ContinuousClock.now
            do {
                let before = Date()
                let (queues, upkeep) = try await self.queue.reading()
                self.reading.record(since: start)
                self.tell(queues, upkeep, between: before, and: Date())
            } catch {
                guard !Task.isCancelled, !Task.isShuttingDownGracefully else { return }
                self.failures.increment()
                self.isUp.record(0)
                self.logger.debug("How the queues stand could not be read", metadata: ["error": "\(error)"])
            }
            // A transaction that is held open somewhere makes a reading slow: it is not to take more than a twentieth of anybody's time.
            pause = max(Self.interval, (ContinuousClock.now - start) * 20)
        } while (try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))) != nil
    }

    private mutating func tell(_ queues: [QueueReading], _ upkeep: UpkeepReading, between before: Date, and after: Date) {
        self.isUp.record(1)
        // As far as it is certain: the answer may have been on its way for as long as the question.
        let offset = upkeep.now < before ? upkeep.now.timeIntervalSince(before) : max(0, upkeep.now.timeIntervalSince(after))
        self.clockOffset.record(offset)
        self.workers.record(upkeep.workers)
        self.lateWorkers.record(upkeep.lateWorkers)
        self.tmpBatches.record(upkeep.tmpBatches)
        for (task, seconds) in upkeep.overdue {
            let gauge =
                self.tasks[task]
                ?? Gauge(label: "s3file_task_overdue_seconds", dimensions: [("task", task)], factory: self.factory)
            self.tasks[task] = gauge
            gauge.record(max(0, seconds))
        }
        for reading in queues {
            let series = self.gauges[reading.queue] ?? QueueSeries(reading.queue, self.factory)
            self.gauges[reading.queue] = series
            series.tell(reading)
        }
        let known = Set(queues.map(\.queue))
        for (queue, series) in self.gauges where !known.contains(queue) {
            series.destroy()
            self.gauges[queue] = nil
        }
    }
}
