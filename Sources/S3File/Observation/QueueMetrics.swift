package import CoreMetrics
package import Foundation

/// What the queue's two ends tell the metrics, as handles that are made once: a batch costs a few additions.
package final class QueueMetrics: Sendable {
    package let factory: any MetricsFactory
    let enqueued, enqueuedAgain, enqueueFailed: Counter
    let enqueue: CoreMetrics.Timer
    let claimed: Counter
    /// From when a job was due until it was claimed, both by Postgres's clock.
    let pickUp: CoreMetrics.Timer
    let reaped, putBack, prunedUploads, prunedEvents: Counter

    package init(factory: any MetricsFactory = MetricsSystem.factory) {
        func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        self.factory = factory
        self.enqueued = counter("s3file_enqueued_total", [("result", "new")])
        self.enqueuedAgain = counter("s3file_enqueued_total", [("result", "known")])
        self.enqueueFailed = counter("s3file_enqueue_failures_total")
        self.enqueue = CoreMetrics.Timer(label: "s3file_enqueue_seconds", factory: factory)
        self.claimed = counter("s3file_claimed_total")
        self.pickUp = CoreMetrics.Timer(label: "s3file_pickup_seconds", factory: factory)
        self.reaped = counter("s3file_reaped_total")
        self.putBack = counter("s3file_put_back_total")
        self.prunedUploads = counter("s3file_pruned_total", [("kind", "uploads")])
        self.prunedEvents = counter("s3file_pruned_total", [("kind", "events")])
    }

    /// Whether anybody counts.
    package var isUsed: Bool { !(self.factory is NOOPMetricsHandler) }

    /// - Parameter now: of the claim, by Postgres's clock.
    func claimed(_ jobs: [Job], at now: Date?) {
        guard !jobs.isEmpty else { return }
        self.claimed.increment(by: jobs.count)
        guard self.isUsed, let now else { return }
        for job in jobs { self.pickUp.recordNanoseconds(Int64(max(0, now.timeIntervalSince(job.place.runAt)) * 1e9)) }
    }
}

extension UUID {
    /// When a UUID of version 7 was made. <https://www.rfc-editor.org/rfc/rfc9562#section-5.7>
    package var madeAt: Date {
        let bytes = self.uuid
        let milliseconds =
            UInt64(bytes.0) << 40 | UInt64(bytes.1) << 32 | UInt64(bytes.2) << 24 | UInt64(bytes.3) << 16 | UInt64(bytes.4) << 8
            | UInt64(bytes.5)
        return Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }
}
