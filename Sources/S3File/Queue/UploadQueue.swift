package import Postgres

/// Every SQL statement about uploads, one idea a file: `Enqueue`, `Statuses` for the web side; `Lease`, `Claim`, `Settle`,
/// `TmpLeft` and `Stale` for workers.
package struct UploadQueue: Sendable {
    /// Woken workers listen here; the payload is empty.
    package static let channel = "s3file_upload"

    package let client: PostgresClient

    package init(client: PostgresClient) {
        self.client = client
    }
}
