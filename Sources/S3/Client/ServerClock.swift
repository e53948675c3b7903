import NIOConcurrencyHelpers

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// The time as S3 has it, by which requests are signed: this machine's, corrected once a server has said how far that is off.
///
/// S3 refuses signatures that are more than 15 minutes off.
/// ([AWS: Authenticating Requests](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html))
package final class ServerClock: Sendable {
    private struct State {
        var offset: TimeInterval = 0
        var changed: ContinuousClock.Instant?
    }

    /// Requests that were signed before the last correction are answered within this time.
    private static let echo: Duration = .seconds(60)

    private let state = NIOLockedValueBox(State())
    private let machine: @Sendable () -> Date

    /// - Parameter machine: this machine's clock.
    package init(machine: @escaping @Sendable () -> Date = { Date() }) {
        self.machine = machine
    }

    /// What is added to this machine's time.
    package var offset: TimeInterval { self.state.withLockedValue { $0.offset } }

    package var now: Date { self.corrected(self.machine()) }

    /// A moment by this machine's clock as S3 would call it.
    package func corrected(_ date: Date) -> Date {
        let offset = self.offset
        return offset == 0 ? date : date.addingTimeInterval(offset)
    }

    /// Takes over the time of an answer's `Date` header.
    ///
    /// - Returns: whether another signature would make a difference: the header is farther off than that, or another answer has
    ///   corrected the clock a moment ago.
    @discardableResult
    func correct(by httpDate: String?, ifFartherThan threshold: Duration) -> Bool {
        // Of the years 2020 to 2199; anything else is no clock.
        guard
            let date = httpDate.flatMap({ Timestamp.parseHTTP($0) }),
            (1_577_836_800..<7_258_118_400).contains(date.timeIntervalSince1970)
        else { return false }
        // From this machine's clock, not from the corrected one: many requests of one error must not add up.
        let offset = date.timeIntervalSince(self.machine())
        return self.state.withLockedValue { state in
            guard abs(offset - state.offset) <= threshold / .seconds(1) else {
                (state.offset, state.changed) = (offset, .now)
                return true
            }
            return state.changed.map { ContinuousClock.now - $0 < Self.echo } ?? false
        }
    }
}
