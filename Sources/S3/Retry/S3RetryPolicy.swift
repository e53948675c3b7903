/// How often and how soon a client repeats a request by itself.
package struct S3RetryPolicy: Sendable, Hashable {
    /// With the first.
    package var attempts: Int
    package var baseDelay: Duration
    package var maximumDelay: Duration
    /// A server that asks for more patience than this is reported to the caller, who has better things to do than wait.
    package var maximumRetryAfter: Duration

    package init(
        attempts: Int = 3,
        baseDelay: Duration = .milliseconds(100),
        maximumDelay: Duration = .seconds(5),
        maximumRetryAfter: Duration = .seconds(10)
    ) {
        self.attempts = max(1, attempts)
        self.baseDelay = baseDelay
        self.maximumDelay = maximumDelay
        self.maximumRetryAfter = maximumRetryAfter
    }

    /// What to wait after the given attempt failed, or nil to give up.
    ///
    /// Full jitter: any moment up to the doubled delay, so that clients that failed together do not come back together.
    /// ([AWS: Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/))
    ///
    /// - Parameters:
    ///   - attempt: from 1.
    ///   - fraction: 0 to 1, random.
    func delay(after attempt: Int, error: S3Error, fraction: Double = Double.random(in: 0...1)) -> Duration? {
        guard error.retryable, attempt < self.attempts else { return nil }
        let ceiling = min(self.maximumDelay, self.baseDelay * (1 << min(attempt - 1, 20)))
        let jitter = ceiling * fraction
        guard let retryAfter = error.retryAfter else { return jitter }
        guard retryAfter <= self.maximumRetryAfter else { return nil }
        return retryAfter + jitter
    }
}
