/// One thing that a check found wrong.
struct Finding: Sendable, Equatable {
    var id: FindingID
    /// What is wrong, in a sentence.
    var what: String
    /// The command, the setting or the JSON that mends it.
    var remedy: String

    init(_ id: FindingID, _ what: String, remedy: String) {
        self.id = id
        self.what = Secrets.struckOut(of: what)
        self.remedy = remedy
    }
}

extension Finding: CustomStringConvertible {
    /// In one line, as for an error.
    var description: String { "\(self.id.rawValue): \(self.what) \(self.remedy)" }

    /// With why it matters, for people.
    var lines: [String] {
        let remedy = self.remedy.split(separator: "\n", omittingEmptySubsequences: false)
        return ["\(self.id.rawValue): \(self.what)", "    Why:  \(self.id.why)", "    Mend: \(remedy[0])"]
            + remedy.dropFirst().map { "          \($0)" }
    }
}

extension Finding: Encodable {
    private enum Key: String, CodingKey { case id, level, what, why, remedy }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.id.level, forKey: .level)
        try container.encode(self.what, forKey: .what)
        try container.encode(self.id.why, forKey: .why)
        try container.encode(self.remedy, forKey: .remedy)
    }
}

/// What a check found, and what it saw.
struct CheckReport: Sendable, Encodable {
    var findings: [Finding] = []
    /// What is as it is, such as where the credentials come from.
    var facts: [Fact] = []
    /// How many objects were written, and removed again.
    var written = 0
    /// For how long the oldest upload has been due that no worker has taken.
    private(set) var longestWait = Duration.zero

    private enum CodingKeys: String, CodingKey { case findings, facts, written }

    struct Fact: Sendable, Encodable {
        var about: String
        var text: String
    }

    mutating func add(_ id: FindingID, _ what: String, remedy: String) {
        self.findings.append(Finding(id, what, remedy: remedy))
    }

    mutating func note(_ about: String, _ text: String) {
        self.facts.append(Fact(about: about, text: Secrets.struckOut(of: text)))
    }

    mutating func note(longestWait: Duration) {
        self.longestWait = max(self.longestWait, longestWait)
    }

    mutating func merge(_ other: CheckReport) {
        self.longestWait = max(self.longestWait, other.longestWait)
        self.findings += other.findings
        self.facts += other.facts
        self.written += other.written
    }

    /// The worst of all.
    var level: FindingID.Level? { self.findings.map(\.id.level).max() }
}
