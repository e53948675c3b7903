import Crypto

/// One file of a migration.
///
/// It runs in one transaction, unless its first line says otherwise: `-- s3file: no transaction`. Then its statements run one by one, each
/// may wait long for its locks, and all of them run again after a crash in the middle. Only what needs it belongs there, such as
/// `create index concurrently`.
///
/// `-- s3file: breaks older code`, in the first line of a pre part, owns up to it that code of earlier versions cannot go on working.
package struct MigrationScript: Sendable, Hashable {
    private static let prefix = "-- s3file:"
    private static let noTransaction = "no transaction"
    private static let breaksOlder = "breaks older code"

    package let text: String
    private let directives: [String]

    package init(_ text: String) {
        self.text = text
        let first = text.prefix { !$0.isNewline }
        self.directives =
            first.hasPrefix(Self.prefix) ? first.dropFirst(Self.prefix.count).split(separator: ",").map(Self.trimmed) : []
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// SHA-256 of the script, in hexadecimal, as `sha256sum` prints it.
    package var checksum: String {
        SHA256.hash(data: Array(self.text.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    var runsInTransaction: Bool { !self.directives.contains(Self.noTransaction) }
    var breaksOlderCode: Bool { self.directives.contains(Self.breaksOlder) }
    var statements: [SQLStatement] { SQLStatement.all(in: self.text) }

    /// The line, from 1, of a character that the server counts from 1.
    func line(of position: Int) -> Int {
        1 + self.text.unicodeScalars.prefix(max(0, position - 1)).count { $0 == "\n" }
    }

    /// What is wrong with it, whatever the database is like.
    func problem(as part: Migration.Part) -> String? {
        let known = part == .pre ? [Self.noTransaction, Self.breaksOlder] : [Self.noTransaction]
        if let unknown = self.directives.first(where: { !known.contains($0) }) {
            let choice = known.map { "“\($0)”" }.joined(separator: " or ")
            return "its first line says “\(unknown)”, which means nothing here: say \(choice), or nothing."
        }
        return self.runsInTransaction ? nil : self.unrepeatable()
    }

    /// An index that a crash left half built is invalid, and `if not exists` would take it for good: hence a drop before every create.
    private func unrepeatable() -> String? {
        var dropped: Set<Substring> = []
        for statement in self.statements {
            let text = statement.text.lowercased()
            if let drop = text.wholeMatch(of: /drop\s+index\s+concurrently\s+if\s+exists\s+(.+)/.dotMatchesNewlines()) {
                dropped.formUnion(drop.1.split { $0 == "," || $0.isWhitespace }.map(Self.bareName))
            }
            let create = /create\s+(unique\s+)?index\s+concurrently\s+(if\s+not\s+exists\s+)?(\S+)\s+on\s.*/
            guard let create = text.wholeMatch(of: create.dotMatchesNewlines()) else { continue }
            if create.2 != nil || !dropped.contains(Self.bareName(create.3)) {
                return """
                    line \(self.line(of: statement.offset + 1)) creates an index concurrently, and a crash would leave it invalid: put \
                    “drop index concurrently if exists” before it, and take “if not exists” out of it.
                    """
            }
        }
        return nil
    }

    private static func bareName(_ name: Substring) -> Substring {
        name.split(separator: ".").last ?? name
    }
}
