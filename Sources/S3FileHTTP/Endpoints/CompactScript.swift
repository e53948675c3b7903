/// A script without comments and needless blanks. Names stay, so that an error in a browser can be read.
///
/// It leans on how our own scripts are written: each comment has a line of its own, no string or pattern goes over several lines, and no
/// line begins with `(`, `[`, `/` or a backquote.
enum CompactScript {
    static func text(of script: String) -> String {
        var text = ""
        for line in script.split(separator: "\n") {
            let line = line.drop { $0 == " " }
            guard let first = line.first, !line.hasPrefix("//") else { continue }
            // A line end that only parts one statement's lines. Where a statement could end, it stays in place of a semicolon.
            if let last = text.last, !Self.opensOrJoins.contains(last), !Self.closesOrJoins.contains(first) {
                text.append("\n")
            }
            Self.append(line, to: &text)
        }
        return text + "\n"
    }

    private static let opensOrJoins = Set("{([,;:?&|>=")
    private static let closesOrJoins = Set("})],:?&|.")
    private static let closing = Set("})]")
    private static let quotes = Set("'\"`")

    /// Copies a line; blanks beside a punctuation mark go, unless they are in a string or a pattern.
    private static func append(_ line: Substring, to text: inout String) {
        var rest = line
        // What is open: a string by its quote, a pattern as `/`, brackets in it as `[`; and braces inside a template's `${…}`.
        var open: [Character] = []
        while let character = rest.popFirst() {
            if let quote = open.last, quote != "{" {
                text.append(character)
                if character == "\\", let escaped = rest.popFirst() {
                    text.append(escaped)
                } else if quote == "`", character == "$", rest.first == "{" {
                    text.append(rest.removeFirst())
                    open.append("{")
                } else if quote == "/", character == "[" {
                    open.append("[")
                } else if character == (quote == "[" ? "]" : quote) {
                    open.removeLast()
                }
                continue
            }
            if character == " " {
                if let before = text.last, let after = rest.first, Self.isWord(before), Self.isWord(after) { text.append(" ") }
                continue
            }
            if Self.quotes.contains(character) || character == "/" && Self.beginsPattern(after: text.last) {
                open.append(character)
            } else if character == "{", !open.isEmpty {
                open.append(character)
            } else if character == "}", !open.isEmpty {
                open.removeLast()
            }
            if text.last == ",", Self.closing.contains(character) { text.removeLast() }
            text.append(character)
        }
    }

    /// Otherwise it divides.
    private static func beginsPattern(after character: Character?) -> Bool {
        character.map { !Self.isWord($0) && $0 != ")" && $0 != "]" } ?? true
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "$"
    }
}
