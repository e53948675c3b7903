import CoreMetrics
import Synchronization

/// How many forms bring their files through this process at a time: each costs two buffers of memory, and a connection to S3.
package final class StreamSlots: Sendable {
    private let limit: Int
    private let taken = Mutex(0)
    private let metrics: UploadsMetrics

    package init(limit: Int, metrics: UploadsMetrics = UploadsMetrics()) {
        self.limit = limit
        self.metrics = metrics
        metrics.streamedLimit.record(limit)
        metrics.streamedForms.record(0)
    }

    /// `false` when none is free. Nobody waits: that would hold up a connection, and a browser.
    package func take() -> Bool {
        self.taken.withLock { taken in
            guard taken < self.limit else { return false }
            taken += 1
            self.metrics.streamedForms.record(taken)
            return true
        }
    }

    package func giveBack() {
        self.taken.withLock { taken in
            taken -= 1
            self.metrics.streamedForms.record(taken)
        }
    }
}
