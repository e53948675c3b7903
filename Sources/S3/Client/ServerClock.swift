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
    private let seconds = NIOLockedValueBox<TimeInterval>(0)
    private let machine: @Sendable () -> Date

    /// - Parameter machine: this machine's clock.
    package init(machine: @escaping @Sendable () -> Date = { Date() }) {
        self.machine = machine
    }

    /// What is added to this machine's time.
    package var offset: TimeInterval { self.seconds.withLockedValue { $0 } }

    package var now: Date { self.corrected(self.machine()) }

    /// A moment by this machine's clock as S3 would call it.
    package func corrected(_ date: Date) -> Date {
        let offset = self.offset
        return offset == 0 ? date : date.addingTimeInterval(offset)
    }

    /// How far a server is from what this clock says by now.
    func distance(to httpDate: String?) -> TimeInterval? {
        // Of the years 2020 to 2199; anything else is no clock.
        guard
            let date = httpDate.flatMap({ Timestamp.parseHTTP($0) }),
            (1_577_836_800..<7_258_118_400).contains(date.timeIntervalSince1970)
        else { return nil }
        return date.timeIntervalSince(self.now)
    }

    /// Takes over the time of an answer's `Date` header.
    ///
    /// - Returns: whether there was one that differed enough for another signature to make a difference.
    @discardableResult
    func correct(by httpDate: String?, ifFartherThan threshold: Duration) -> Bool {
        guard let distance = self.distance(to: httpDate), abs(distance) > TimeInterval(threshold.components.seconds) else {
            return false
        }
        self.seconds.withLockedValue { $0 += distance }
        return true
    }
}
