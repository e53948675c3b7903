import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3

/// How far S3's clock and ours are apart.
struct ClockCheck: Sendable {
    /// More than this is worth a word; S3 itself refuses more than 15 minutes.
    private static let noticeable = 30.0
    private static let refused = 14 * 60.0

    /// Reads the `Date` of any answer, which has whole seconds.
    static func compare(s3 url: String, httpClient: HTTPClient, _ report: inout CheckReport) async {
        let start = Date()
        let answer = try? await httpClient.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
        let end = Date()
        guard let date = answer?.headers.first(name: "date").flatMap({ Timestamp.parseHTTP($0) }) else { return }
        Self.compare("S3", date, between: start, and: end.addingTimeInterval(1), &report)
    }

    /// - Parameters:
    ///   - start: ours, before it was asked.
    ///   - end: ours, when it had answered.
    static func compare(_ whose: String, _ time: Date, between start: Date, and end: Date, _ report: inout CheckReport) {
        let skew = time < start ? time.timeIntervalSince(start) : time > end ? time.timeIntervalSince(end) : 0
        report.note("clock", "\(whose)'s is \(abs(skew) < 1 ? "ours" : String(format: "%+.0f s from ours", skew))")
        guard abs(skew) > Self.noticeable else { return }
        report.add(
            whose == "S3" && abs(skew) > Self.refused ? .clockWrong : .clockOff,
            "\(whose)'s clock is \(Int(abs(skew))) seconds \(skew > 0 ? "ahead of" : "behind") this machine's.",
            remedy: "timedatectl set-ntp true    # on the machine whose clock is wrong"
        )
    }
}
