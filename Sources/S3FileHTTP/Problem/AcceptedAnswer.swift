/// Which of the two kinds of answer a client wants: `Accept` as RFC 9110 section 12.5.1 has it.
enum AcceptedAnswer {
    /// Whether HTML is named, and at least as welcome as JSON. A wildcard names nothing: programs send it without thinking of pages.
    static func prefersHTML(_ accept: [String]) -> Bool {
        var html: Double = 0
        var json: Double = 0
        for range in accept.joined(separator: ",").split(separator: ",").prefix(64) {
            let parts = range.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
            guard let type = parts.first else { continue }
            switch type {
            case "text/html", "application/xhtml+xml": html = max(html, Self.weight(parts))
            case "application/problem+json", "application/json": json = max(json, Self.weight(parts))
            default: break
            }
        }
        return html > 0 && html >= json
    }

    /// The `q` among the parameters: 1 unless it is there, 0 when it is nonsense.
    private static func weight(_ parts: [String]) -> Double {
        guard let q = parts.dropFirst().first(where: { $0.hasPrefix("q=") }) else { return 1 }
        return Double(q.dropFirst(2)).flatMap { (0...1).contains($0) ? $0 : nil } ?? 0
    }
}
