public import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Logs one JSON object a line, for programs that collect logs.
///
/// ```json
/// {"time":"2026-11-28T09:30:00.123Z","level":"info","logger":"s3file","message":"Upload failed: …","metadata":{"attempt":"2","upload":"019…"}}
/// ```
/// `metadata` has what the line was given, nested as it was; `error` is there when the line was given one.
public struct JSONLogHandler: LogHandler {
    /// What is below is not logged.
    public var logLevel: Logger.Level = .info
    /// What every line has.
    public var metadata: Logger.Metadata = [:]
    /// Gives what every line has at its time.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - label: the logger's.
    ///   - write: takes a line with its end. Called from many threads at once.
    public init(label: String, write: @escaping @Sendable (String) -> Void = LogFormat.writeToStandardError) {
        self.label = label
        self.write = write
    }

    /// One entry of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Writes one line.
    public func log(event: LogEvent) {
        var metadata = self.metadata
        if let provided = self.metadataProvider?.get() { metadata.merge(provided) { $1 } }
        if let given = event.metadata { metadata.merge(given) { $1 } }
        var line = #"{"time":"#
        JSONText.append(Date().formatted(Self.timeStyle), to: &line)
        line += #","level":"#
        JSONText.append(event.level.rawValue, to: &line)
        line += #","logger":"#
        JSONText.append(self.label, to: &line)
        line += #","message":"#
        JSONText.append("\(event.message)", to: &line)
        if let error = event.error {
            line += #","error":"#
            JSONText.append("\(error)", to: &line)
        }
        if !metadata.isEmpty {
            line += #","metadata":"#
            Self.append(.dictionary(metadata), to: &line)
        }
        line += "}\n"
        self.write(line)
    }

    private static let timeStyle = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    private static func append(_ value: Logger.MetadataValue, to line: inout String) {
        switch value {
        case .string(let text): JSONText.append(text, to: &line)
        case .stringConvertible(let value): JSONText.append("\(value)", to: &line)
        case .array(let values):
            line += "["
            for (index, value) in values.enumerated() {
                if index > 0 { line += "," }
                self.append(value, to: &line)
            }
            line += "]"
        case .dictionary(let values):
            line += "{"
            for (index, entry) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                JSONText.append(entry.key, to: &line)
                line += ":"
                self.append(entry.value, to: &line)
            }
            line += "}"
        }
    }
}

/// Strings as JSON has them. <https://www.rfc-editor.org/rfc/rfc8259#section-7>
enum JSONText {
    static func append(_ text: String, to json: inout String) {
        json += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\n": json += "\\n"
            case "\r": json += "\\r"
            case "\t": json += "\\t"
            // Line ends of JavaScript, too, which some readers take for such.
            case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar == "\u{2028}" || scalar == "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: json.unicodeScalars.append(scalar)
            }
        }
        json += "\""
    }
}
