package import Postgres

/// Everything about uploads that is asked of Postgres, one idea a file: `Enqueue` and `Statuses` for the web side; `Lease`, `Claim`, `Settle`,
/// `TmpObjects` and `Retention` for workers. Nearly all of it calls functions of `migrations`, which are all that either side's role may do.
package struct UploadQueue: Sendable {
    /// Woken workers listen here; the payload is empty.
    package static let channel = "s3file_upload"
    /// Those who wait for news of uploads listen here; the payload is empty.
    package static let statusChannel = "s3file_status"

    package let client: PostgresClient

    package let metrics: QueueMetrics

    package init(client: PostgresClient, metrics: QueueMetrics = QueueMetrics()) {
        self.client = client
        self.metrics = metrics
    }
}
