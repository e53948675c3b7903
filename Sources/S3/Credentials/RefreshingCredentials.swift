package import Logging
import NIOConcurrencyHelpers

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// Keeps temporary credentials and renews them before they end.
///
/// One caller at a time asks for new ones, inside its own call, while the others go on with the old; only when there are no old
/// ones do they wait for it. A caller that is cancelled meanwhile hands the task to one of those who wait. When renewing fails, the
/// old credentials serve for as long as they live.
package final class RefreshingCredentials: S3CredentialsProvider {
    /// When to renew.
    package struct Timing: Sendable {
        /// Before the end, or a quarter of the whole life if that is less.
        package var lead: Duration = .seconds(300)
        /// Up to this much earlier, so that many processes do not come at once.
        package var jitter: Duration = .seconds(60)
        /// Between attempts while the old ones live.
        package var pauseWithOld: Duration = .seconds(30)
        /// For how long a failure without old ones is everybody's answer.
        package var pauseWithout: Duration = .seconds(1)
        /// New credentials that S3 calls ended are not asked for again within this time.
        package var minimumAge: Duration = .seconds(10)

        package init() {}
    }

    private let base: any S3CredentialsProvider
    private let timing: Timing
    private let logger: Logger
    private let now: @Sendable () -> Date
    private let state: NIOLockedValueBox<RefreshState>

    /// - Parameter now: the time as the issuer has it.
    package init(
        _ base: any S3CredentialsProvider,
        timing: Timing = Timing(),
        logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.base = base
        self.timing = timing
        self.logger = logger
        self.now = now
        self.state = NIOLockedValueBox(RefreshState(timing: timing))
    }

    package func credentials() async throws -> S3Credentials {
        while true {
            switch self.state.withLockedValue({ $0.next(now: self.now()) }) {
            case .use(let credentials): return credentials
            case .fail(let error): throw error
            case .refresh: return try await self.refresh()
            case .wait: try await self.wait()
            }
        }
    }

    package func discard(_ credentials: S3Credentials) -> Bool {
        self.state.withLockedValue { $0.discard(credentials, now: self.now()) }
    }

    private func refresh() async throws -> S3Credentials {
        let result: Result<S3Credentials, any Error>
        do {
            let fresh = try await self.base.credentials()
            if let expiration = fresh.expiration, expiration <= self.now() {
                throw CredentialsError(
                    .failed,
                    "the source of credentials",
                    "it gave some that ended at \(Timestamp.iso8601(expiration)): is this machine's clock right?",
                    retryable: true
                )
            }
            result = .success(fresh)
        } catch {
            // What went wrong may be the cancellation itself, and says nothing to the others.
            result = .failure(Task.isCancelled ? CancellationError() : error)
        }
        let (outcome, waiters) = self.state.withLockedValue { $0.finish(result, now: self.now()) }
        for waiter in waiters { waiter.resume() }
        if case .failure(let error) = result, case .success(let old) = outcome {
            self.logger.info(
                "S3 credentials could not be renewed; the old ones serve on",
                metadata: [
                    "error": "\(error)", "s3.credentials.expiration": "\(old.expiration.map(Timestamp.iso8601) ?? "none")",
                ]
            )
        }
        return try outcome.get()
    }

    /// Until a refresh ends, or this task is cancelled.
    private func wait() async throws {
        let id = self.state.withLockedValue { $0.newID() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Looked at again under the lock: the refresh may have ended, or the task been cancelled, since.
                let mustWait = self.state.withLockedValue { $0.enqueue(id, continuation) }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            self.state.withLockedValue { $0.cancel(id) }?.resume()
        }
        self.state.withLockedValue { $0.forget(id) }
        try Task.checkCancellation()
    }
}
