import S3
import S3File

extension WorkerEngine {
    /// What only this process knows, for whoever looks at the dashboard.
    func report(_ stop: StopRequest, now: ContinuousClock.Instant = .now) -> WorkerReport {
        var buckets: [String: WorkerReport.Bucket] = [:]
        for refusal in self.metrics.parked.all(now: now) {
            buckets[refusal.bucket] = WorkerReport.Bucket(
                bucket: refusal.bucket,
                refusedSeconds: (now - refusal.first) / .seconds(1),
                code: refusal.code
            )
        }
        for slowed in self.connections.s3.concurrency.slowed {
            var bucket = buckets[slowed.bucket] ?? WorkerReport.Bucket(bucket: slowed.bucket)
            (bucket.limit, bucket.most) = (slowed.limit, slowed.most)
            buckets[slowed.bucket] = bucket
        }
        return WorkerReport(
            slots: self.connections.configuration.workerConcurrency,
            isDraining: stop.isRequested,
            // Those that refuse first, should there be too many.
            buckets: buckets.values.sorted {
                ($0.refusedSeconds == nil ? 1 : 0, $0.bucket) < ($1.refusedSeconds == nil ? 1 : 0, $1.bucket)
            }
        )
    }
}
