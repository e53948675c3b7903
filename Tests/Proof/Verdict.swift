import S3DevServer

/// What the evidence says about what must never be otherwise.
package struct Verdict: Sendable {
    /// What must hold; its words say what, its name is that of a mutation that breaks it.
    package enum Invariant: String, Sendable, CaseIterable, Codable {
        case committedIsKept = "what was told to be enqueued has a row"
        case committedIsStored = "what was enqueued, and nobody withdrew or changed, is stored"
        case storedHasObject = "stored: exactly one object, with the verified bytes, type and name"
        case withdrawnHasNone = "rolled back, refused or cancelled before it moved: no object"
        case objectsAreOfStored = "every object is of an upload that is stored"
        case tmpOutlivesItsUpload = "no tmp object is deleted before its upload is stored, withdrawn or expired"
        case nothingIsOverwritten = "no stored object is overwritten or deleted"
        case statusesMoveForward = "statuses only move forward, each attempt by the one worker that began it"
        case everythingEnds = "every upload ends"
        case tmpIsGone = "every tmp object is gone in the end"
        case nothingElseIsTouched = "nothing else in the bucket is touched"
    }

    package struct Violation: Sendable, Hashable, Codable {
        package var invariant: Invariant
        /// The upload, key or history.
        package var about: String
        package var what: String
        /// Events and changes of the store that concern it.
        package var trace: [String]
    }

    /// How many things each invariant was asked of.
    package private(set) var checked: [Invariant: Int] = [:]
    package private(set) var violations: [Violation] = []
    /// What is no violation and yet worth a look, by what.
    package private(set) var remarks: [String: Remark] = [:]

    package struct Remark: Sendable, Hashable, Codable {
        package var count = 0
        /// Of the first of them.
        package var example: [String] = []
    }

    let evidence: Evidence
    let rowsByTmpKey: [String: Evidence.Row]
    let rowsByID: [String: Evidence.Row]
    let rowsByKey: [String: Evidence.Row]
    let eventsByUpload: [String: [Evidence.Event]]
    let changesByKey: [String: [StoreJournal.Entry]]

    package init(on evidence: Evidence) {
        self.evidence = evidence
        self.rowsByTmpKey = Dictionary(evidence.rows.map { ($0.tmpKey, $0) }) { first, _ in first }
        self.rowsByID = Dictionary(evidence.rows.map { ($0.id, $0) }) { first, _ in first }
        self.rowsByKey = Dictionary(evidence.rows.compactMap { row in row.key.map { ($0, row) } }) { first, _ in first }
        self.eventsByUpload = Dictionary(grouping: evidence.events, by: \.upload)
        self.changesByKey = Dictionary(grouping: evidence.journal, by: \.key)
        for invariant in Invariant.allCases { self.checked[invariant] = 0 }
        self.judgeTestimonies()
        self.judgeRows()
        self.judgeObjects()
        self.judgeEvents()
        self.judgeJournal()
    }

    package var isClean: Bool { self.violations.isEmpty }

    // MARK: Finding

    /// Asks one thing of an invariant; the words are made up only if it does not hold.
    mutating func check(
        _ invariant: Invariant,
        _ holds: Bool,
        _ about: @autoclosure () -> String,
        _ what: @autoclosure () -> String
    ) {
        self.checked[invariant, default: 0] += 1
        guard !holds else { return }
        let about = about()
        self.violations.append(Violation(invariant: invariant, about: about, what: what(), trace: self.trace(of: about)))
    }

    mutating func remark(_ what: String, _ about: String) {
        if self.remarks[what] == nil { self.remarks[what] = Remark(example: self.trace(of: about)) }
        self.remarks[what]?.count += 1
    }

    /// All that is known of an upload, by its id or one of its keys.
    func trace(of name: String) -> [String] {
        let row = self.rowsByID[name] ?? self.rowsByTmpKey[name] ?? self.rowsByKey[name]
        var lines: [String] = []
        if let row {
            lines.append(
                "row \(row.id): \(row.status), attempt \(row.attempt), \(row.tmpKey) → \(row.key ?? "nowhere"), etag \(row.etag), error \(row.errorCode ?? "none")"
            )
            lines += (self.eventsByUpload[row.id] ?? []).map(\.description)
        }
        let keys = [row?.tmpKey, row?.key, row == nil ? name : nil].compactMap { $0 }
        for entry in keys.flatMap({ self.changesByKey[$0] ?? [] }).sorted(by: { $0.number < $1.number }) {
            let over = entry.replaced.map { " over \($0)" } ?? ""
            lines.append("store \(entry.number): \(entry.change.rawValue) \(entry.key) \(entry.etag)\(over), at \(entry.at)")
        }
        let told = self.evidence.testimonies.filter { $0.tmpKey == name || $0.tmpKey == row?.tmpKey }
        lines += told.map { "client: \($0.kind.rawValue), posted \($0.posted), told \($0.answers)" }
        return lines
    }
}
