/// Names as Prometheus takes them: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
/// <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>
enum MetricName {
    /// Libraries label their metrics as they like, with dots above all: other characters become `_`.
    static func valid(_ label: String, suffix: String? = nil) -> String {
        var name = self.mapped(label, allowsColon: true)
        if let suffix, !name.hasSuffix(suffix) { name += suffix }
        return name
    }

    static func mapped(_ text: String, allowsColon: Bool) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                bytes.append(byte)
            case UInt8(ascii: ":") where allowsColon:
                bytes.append(byte)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
                bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "_"))
            }
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }
}

/// Labels as they stand between braces: sorted by name, so that the same ones are one series however they were given.
enum MetricLabels {
    static func text(_ dimensions: [(String, String)], isHistogram: Bool = false) -> String {
        var seen: Set<String> = []
        return
            dimensions
            .map { (name: self.name($0.0, isHistogram: isHistogram), value: $0.1) }
            .filter { seen.insert($0.name).inserted }
            .sorted { $0.name < $1.name }
            .map { "\($0.name)=\"\(self.escaped($0.value, quotes: true))\"" }
            .joined(separator: ",")
    }

    /// Two underscores at the front are Prometheus's own, and so is a histogram's `le`.
    private static func name(_ label: String, isHistogram: Bool) -> String {
        let name = MetricName.mapped(label, allowsColon: false)
        return name.hasPrefix("__") || (isHistogram && name == "le") ? "exported_" + name.drop { $0 == "_" } : name
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
