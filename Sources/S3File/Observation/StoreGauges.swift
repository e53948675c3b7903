import CoreMetrics
import Foundation
import S3

/// Tells the metrics now and then how a process and its store get on: what S3's client knows and does not count.
struct StoreGauges {
    static let interval = Duration.seconds(1)

    private struct BucketSeries {
        let bucket: String
        let limit, inFlight, waiting: Gauge
    }

    private let s3: S3Client
    private let buckets: [BucketSeries]
    private let clockOffset, retryTokens: Gauge

    /// - Parameter buckets: those that are set up; of others, which SQL may name, there is no end.
    init(_ s3: S3Client, buckets: Set<String>) {
        let factory = s3.observation.factory
        self.s3 = s3
        self.buckets = buckets.sorted().map { bucket in
            func gauge(_ label: String) -> Gauge { Gauge(label: label, dimensions: [("bucket", bucket)], factory: factory) }
            return BucketSeries(
                bucket: bucket,
                limit: gauge("s3file_s3_concurrency_limit"),
                inFlight: gauge("s3file_s3_requests_in_flight"),
                waiting: gauge("s3file_s3_requests_waiting")
            )
        }
        self.clockOffset = Gauge(label: "s3file_s3_clock_offset_seconds", factory: factory)
        self.retryTokens = Gauge(label: "s3file_s3_retry_tokens", factory: factory)
        Gauge(label: "s3file_build_info", dimensions: [("version", S3FileVersion.current)], factory: factory).record(1)
    }

    /// Until cancelled.
    func keepTelling() async {
        repeat {
            for series in self.buckets {
                let load = self.s3.concurrency.load(bucket: series.bucket)
                series.limit.record(self.s3.concurrency.limit(bucket: series.bucket) ?? 0)
                series.inFlight.record(load.inFlight)
                series.waiting.record(load.waiting)
            }
            self.clockOffset.record(self.s3.clock.offset)
            self.retryTokens.record(self.s3.budget.remaining)
        } while (try? await Task.sleep(for: Self.interval)) != nil
    }
}
