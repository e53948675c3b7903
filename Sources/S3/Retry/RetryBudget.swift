import NIOConcurrencyHelpers

/// How many repetitions a client may still send, so that an outage is not multiplied by everybody's attempts.
///
/// The numbers are those of the AWS SDKs' standard mode: 500 to spend, 5 for a repetition, 10 for one after a timeout; a repetition
/// that succeeds gets its price back, and every success at the first attempt earns 1. So while nothing succeeds a client sends 100
/// repetitions, and from then on each request once.
/// ([AWS: Retry behavior](https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html))
package final class RetryBudget: Sendable {
    package static let capacity = 500
    static let price = 5
    static let priceAfterTimeout = 10
    static let income = 1

    private let tokens = NIOLockedValueBox(RetryBudget.capacity)

    package init() {}

    package var remaining: Int { self.tokens.withLockedValue { $0 } }

    /// - Returns: what was paid, or nil when there is not enough.
    func pay(for error: S3Error) -> Int? {
        let price = error.code == .timedOut ? Self.priceAfterTimeout : Self.price
        return self.tokens.withLockedValue { tokens in
            guard tokens >= price else { return nil }
            tokens -= price
            return price
        }
    }

    /// After a success.
    ///
    /// - Parameter paid: for the attempt that succeeded; 0 for the first.
    func earn(paid: Int) {
        self.tokens.withLockedValue { $0 = min(Self.capacity, $0 + max(paid, Self.income)) }
    }
}
