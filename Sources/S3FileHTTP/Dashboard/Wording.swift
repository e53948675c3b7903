import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Numbers and times as people read them. Times are told by Postgres's clock, and in UTC.
enum Wording {
    /// `1,204,000`
    static func number(_ value: some BinaryInteger) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return value < 0 ? "−\(text)" : text
    }

    /// `1 file`, `2 files`
    static func count(_ value: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
        "\(self.number(value)) \(value == 1 ? one : many ?? one + "s")"
    }

    /// How long something is, or was: `340 ms`, `4.2 s`, `42 s`, `3 min 12 s`, `5 h 4 min`, `2 d 3 h`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "for ever" }
        let seconds = max(0, seconds)
        if seconds < 1 { return "\(Int(seconds * 1000)) ms" }
        if seconds < 10 { return self.tenths(seconds) + " s" }
        return self.age(seconds)
    }

    /// As ``duration(_:)``, in whole seconds.
    static func age(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "for ever" }
        let whole = Int(max(0, seconds))
        return switch whole {
        case ..<60: "\(whole) s"
        case ..<3_600: self.pair(whole / 60, "min", whole % 60, "s")
        case ..<86_400: self.pair(whole / 3_600, "h", whole % 3_600 / 60, "min")
        default: self.pair(whole / 86_400, "d", whole % 86_400 / 3_600, "h")
        }
    }

    private static func pair(_ large: Int, _ unit: String, _ small: Int, _ smaller: String) -> String {
        small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(smaller)"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int(value * 10)
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    /// `2026-11-28T13:02:11Z`
    static func iso(_ date: Date) -> String { date.formatted(.iso8601) }

    /// `2026-11-28 13:02:11`
    static func full(_ date: Date) -> String {
        let text = self.iso(date)
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8))"
    }

    /// `13:02:11`
    static func clock(_ date: Date) -> String { String(self.iso(date).dropFirst(11).prefix(8)) }

    /// `12 s ago`, with the time itself for whoever points at it, and for programs.
    static func ago(_ date: Date, now: Date) -> HTML {
        let seconds = now.timeIntervalSince(date)
        let text = seconds < 0 ? "in \(self.age(-seconds))" : "\(self.age(seconds)) ago"
        return "<time datetime=\"\(self.iso(date))\" title=\"\(self.full(date)) UTC\">\(text)</time>"
    }

    /// `3 min 12 s`, since then.
    static func span(since date: Date, now: Date) -> HTML {
        let text = self.age(now.timeIntervalSince(date))
        return "<time datetime=\"\(self.iso(date))\" title=\"\(self.full(date)) UTC\">\(text)</time>"
    }

    /// The time in full.
    static func time(_ date: Date) -> HTML {
        "<time datetime=\"\(self.iso(date))\">\(self.full(date))</time>"
    }

    /// As a value of a query: what is not unreserved is escaped.
    static func query(_ value: String) -> String {
        var text = ""
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }

    /// A status, by more than its colour.
    static func badge(_ status: UploadStatus) -> HTML {
        "<span class=\"dash-badge\" data-status=\"\(status.rawValue)\">\(status.rawValue.prefix(1).uppercased() + status.rawValue.dropFirst())</span>"
    }
}
