#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// The three ways S3 writes a moment, all in UTC: `20130524T000000Z` in signatures, `2013-05-24T00:00:00.000Z` in XML and
/// policies, and `Fri, 24 May 2013 00:00:00 GMT` in HTTP headers.
package enum Timestamp {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `20130524T000000Z`; its first eight characters are the date of a credential scope.
    package static func signature(_ date: Date) -> String {
        let moment = Moment(date)
        // Written for each request that is signed.
        var text: [UInt8] = []
        text.reserveCapacity(16)
        for pair in [moment.year / 100, moment.year % 100, moment.month, moment.day] { Self.append(pair, to: &text) }
        text.append(UInt8(ascii: "T"))
        for pair in [moment.hour, moment.minute, moment.second] { Self.append(pair, to: &text) }
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// Two digits.
    private static func append(_ number: Int, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / 10 % 10))
        text.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }

    package static func parseSignature(_ text: some StringProtocol) -> Date? {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        return Self.date(bytes[0..<4], bytes[4..<6], bytes[6..<8], bytes[9..<11], bytes[11..<13], bytes[13..<15])
    }

    /// `2013-05-24T00:00:00.000Z`
    package static func iso8601(_ date: Date) -> String {
        let moment = Moment(date)
        // Written into each policy that is signed.
        var text: [UInt8] = []
        text.reserveCapacity(24)
        for pair in [moment.year / 100, moment.year % 100] { Self.append(pair, to: &text) }
        for (separator, pair) in [
            ("-", moment.month), ("-", moment.day), ("T", moment.hour), (":", moment.minute), (":", moment.second),
        ] as [(Unicode.Scalar, Int)] {
            text.append(UInt8(ascii: separator))
            Self.append(pair, to: &text)
        }
        text.append(UInt8(ascii: "."))
        text.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: moment.millisecond / 100 % 10))
        Self.append(moment.millisecond % 100, to: &text)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads `2013-05-24T00:00:00Z`, with or without a fraction of a second.
    package static func parseISO8601(_ text: some StringProtocol) -> Date? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 30, bytes.last == UInt8(ascii: "Z") else { return nil }
        guard
            bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let seconds = Self.date(bytes[0..<4], bytes[5..<7], bytes[8..<10], bytes[11..<13], bytes[14..<16], bytes[17..<19])
        else { return nil }
        let rest = bytes[19..<(bytes.count - 1)]
        guard !rest.isEmpty else { return seconds }
        guard rest.first == UInt8(ascii: "."), rest.count > 1, let digits = number(rest.dropFirst()) else { return nil }
        var scale = 1.0
        for _ in 1..<rest.count { scale *= 10 }
        return seconds.addingTimeInterval(Double(digits) / scale)
    }

    /// `Fri, 24 May 2013 00:00:00 GMT`
    package static func http(_ date: Date) -> String {
        let moment = Moment(date)
        return "\(self.weekdays[moment.weekday]), \(pad(moment.day)) \(self.months[moment.month - 1]) \(pad(moment.year, 4)) "
            + "\(pad(moment.hour)):\(pad(moment.minute)):\(pad(moment.second)) GMT"
    }

    package static func parseHTTP(_ text: some StringProtocol) -> Date? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[5] == "GMT", let month = self.months.firstIndex(of: String(words[2])) else { return nil }
        let time = words[4].split(separator: ":", omittingEmptySubsequences: false).map { Array($0.utf8) }
        let day = Array(words[1].utf8)
        let year = Array(words[3].utf8)
        guard time.count == 3, year.count == 4 else { return nil }
        return Self.date(year[...], Array(pad(month + 1).utf8)[...], day[...], time[0][...], time[1][...], time[2][...])
    }

    private static func date(
        _ year: ArraySlice<UInt8>,
        _ month: ArraySlice<UInt8>,
        _ day: ArraySlice<UInt8>,
        _ hour: ArraySlice<UInt8>,
        _ minute: ArraySlice<UInt8>,
        _ second: ArraySlice<UInt8>
    ) -> Date? {
        guard
            let year = number(year), let month = number(month), let day = number(day),
            let hour = number(hour), let minute = number(minute), let second = number(second),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let days = Moment.days(year: year, month: month, day: day)
        // A day that the month does not have lands in the next one.
        guard Moment.civil(days) == (year, month, day) else { return nil }
        return Date(timeIntervalSince1970: Double(days * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 9 else { return nil }
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }

    private static func pad(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// A moment in the proleptic Gregorian calendar. Foundation's calendars would bring their locale tables for this.
    private struct Moment {
        var year: Int
        var month: Int
        var day: Int
        var hour: Int
        var minute: Int
        var second: Int
        var millisecond: Int
        /// Days since Thursday, the first weekday of 1970, modulo seven.
        var weekday: Int

        init(_ date: Date) {
            let milliseconds = Int((date.timeIntervalSince1970 * 1000).rounded(.down))
            let (days, ofDay) = Self.floorDivide(milliseconds, by: 86_400_000)
            (self.year, self.month, self.day) = Self.civil(days)
            self.hour = ofDay / 3_600_000
            self.minute = ofDay / 60_000 % 60
            self.second = ofDay / 1_000 % 60
            self.millisecond = ofDay % 1_000
            self.weekday = Self.floorDivide(days, by: 7).remainder
        }

        /// Days since 1970-01-01. Years are counted from March, so that the leap day is a year's last.
        static func days(year: Int, month: Int, day: Int) -> Int {
            let (era, yearOfEra) = Self.floorDivide(month > 2 ? year : year - 1, by: 400)
            let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
            return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        }

        static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
            let (era, dayOfEra) = Self.floorDivide(days + 719_468, by: 146_097)
            let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
            let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
            let shifted = (5 * dayOfYear + 2) / 153
            let month = shifted < 10 ? shifted + 3 : shifted - 9
            return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
        }

        private static func floorDivide(_ dividend: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
            let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
            return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
        }
    }
}
