/// One statement of a script.
package struct SQLStatement: Sendable, Hashable {
    package var text: String
    /// How many characters of the script come before it; Unicode scalars, as the server counts.
    package var offset: Int

    /// Tells the statements of a script apart as psql does, so that each can run alone and errors have a place.
    ///
    /// Semicolons in quotes, comments and parentheses end nothing. A function body belongs in quotes (`$$`): `begin atomic` is not understood.
    package static func all(in script: String) -> [SQLStatement] {
        var splitter = Splitter(scalars: Array(script.unicodeScalars))
        var statements: [SQLStatement] = []
        while let statement = splitter.next() { statements.append(statement) }
        return statements
    }
}

private struct Splitter {
    let scalars: [Unicode.Scalar]
    private var index = 0

    init(scalars: [Unicode.Scalar]) {
        self.scalars = scalars
    }

    mutating func next() -> SQLStatement? {
        var start: Int?
        var depth = 0
        while let scalar = self.peek() {
            if scalar == "-", self.peek(1) == "-" {
                self.skip(past: "\n")
                continue
            }
            if scalar == "/", self.peek(1) == "*" {
                self.skipBlockComment()
                continue
            }
            if scalar.properties.isWhitespace {
                self.index += 1
                continue
            }
            if scalar == ";", depth <= 0 {
                defer { self.index += 1 }
                if let start { return self.statement(from: start) }
                continue
            }
            if start == nil { start = self.index }
            switch scalar {
            case "'": self.skipString()
            case "\"":
                self.index += 1
                self.skip(past: "\"")
            case "$": self.skipDollarQuotes()
            default:
                if scalar == "(" { depth += 1 }
                if scalar == ")" { depth -= 1 }
                self.index += 1
            }
        }
        return start.map(self.statement(from:))
    }

    private func statement(from start: Int) -> SQLStatement {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: self.scalars[start..<self.index])
        return SQLStatement(text: String(text), offset: start)
    }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        let place = self.index + distance
        return self.scalars.indices.contains(place) ? self.scalars[place] : nil
    }

    private mutating func skip(past end: Unicode.Scalar) {
        while let scalar = self.peek() {
            self.index += 1
            if scalar == end { return }
        }
    }

    /// Block comments nest.
    private mutating func skipBlockComment() {
        var depth = 0
        while let scalar = self.peek() {
            if scalar == "/", self.peek(1) == "*" {
                depth += 1
                self.index += 2
            } else if scalar == "*", self.peek(1) == "/" {
                depth -= 1
                self.index += 2
                if depth == 0 { return }
            } else {
                self.index += 1
            }
        }
    }

    /// A doubled quote is two strings side by side, which comes to the same. Backslashes count after an E only.
    private mutating func skipString() {
        let hasEscapes = (self.peek(-1) == "e" || self.peek(-1) == "E") && !Self.isWord(self.peek(-2))
        self.index += 1
        while let scalar = self.peek() {
            self.index += scalar == "\\" && hasEscapes ? 2 : 1
            if scalar == "'" { return }
        }
    }

    /// `$$ … $$` or `$tag$ … $tag$`; `$1` is a parameter, and a `$` within a word is a part of it.
    private mutating func skipDollarQuotes() {
        let start = self.index
        self.index += 1
        guard !Self.isWord(start == 0 ? nil : self.scalars[start - 1]) else { return }
        var end = self.index
        while end < self.scalars.count, self.scalars[end] != "$", Self.isWord(self.scalars[end]) { end += 1 }
        guard end < self.scalars.count, self.scalars[end] == "$", !("0"..."9").contains(self.scalars[self.index]) else { return }
        let mark = self.scalars[start...end]
        self.index = end + 1
        while self.index < self.scalars.count {
            if self.scalars[self.index...].starts(with: mark) {
                self.index += mark.count
                return
            }
            self.index += 1
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar else { return false }
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "$": return true
        default: return !scalar.isASCII
        }
    }
}
