public import Foundation

/// Where a field's files are stored: the folder below the bucket's location, decided on the server.
///
/// A string literal is a pattern: strftime's `%Y %y %m %d %H %M %S %j %%` in UTC, and `{upload.id}`, `{owner}`, `{field}`.
/// A closure decides by code. The file's own sanitised name is appended to it.
///
/// ```swift
/// UploadField("avatar", uploadTo: "avatars/%Y/%m/", maximumSize: .megabytes(20))
/// ```
public struct UploadTo: Sendable, ExpressibleByStringLiteral {
    /// What a destination may depend on.
    public struct Context: Sendable {
        /// The upload's id.
        public var id: UUID
        /// The field's name.
        public var field: String
        /// Whose file it is, as the app says.
        public var owner: String?
        /// The name that the person's file had.
        public var filename: String
        /// The time of the form post.
        public var date: Date

        package init(id: UUID, field: String, owner: String?, filename: String, date: Date) {
            self.id = id
            self.field = field
            self.owner = owner
            self.filename = filename
            self.date = date
        }
    }

    private enum Rule: Sendable {
        case pattern(String)
        case closure(@Sendable (Context) -> String)
    }

    private let rule: Rule

    /// A pattern, as described above.
    public init(stringLiteral pattern: String) {
        self.init(pattern)
    }

    /// A pattern, as described above. An unknown `%` directive or `{name}` is a programming error and stops the program.
    public init(_ pattern: String) {
        if let problem = Self.problem(in: pattern) { preconditionFailure("UploadTo: \(problem)") }
        self.rule = .pattern(pattern)
    }

    /// A folder chosen by code. What it returns is checked like any other input; a bad one fails the form post with a clear error.
    public init(_ folder: @escaping @Sendable (Context) -> String) {
        self.rule = .closure(folder)
    }

    /// What the ticket binds: the pattern's text, or a mark for a closure.
    package var ticketRule: String {
        switch self.rule {
        case .pattern(let pattern): pattern
        case .closure: "{closure}"
        }
    }

    /// The folder for one file, without leading or trailing slash.
    package func folder(for context: Context) -> String {
        let raw =
            switch self.rule {
            case .closure(let closure): closure(context)
            case .pattern(let pattern): Self.expand(pattern, context)
            }
        var folder = Substring(raw)
        while folder.hasSuffix("/") { folder.removeLast() }
        return String(folder)
    }

    private static let names = ["{upload.id}", "{owner}", "{field}"]

    /// What is wrong with a pattern, as a sentence; `nil` when nothing is.
    package static func problem(in pattern: String) -> String? {
        var rest = Substring(pattern)
        while let character = rest.popFirst() {
            switch character {
            case "%":
                guard let directive = rest.popFirst(), "YymdHMSj%".contains(directive) else {
                    return "\"\(pattern)\" has an unknown % directive; use %Y %y %m %d %H %M %S %j or %%"
                }
            case "{":
                guard let name = Self.names.first(where: { ("{" + rest).hasPrefix($0) }) else {
                    return "\"\(pattern)\" has an unknown {name}; use {upload.id}, {owner} or {field}"
                }
                rest = rest.dropFirst(name.count - 1)
            default: continue
            }
        }
        return nil
    }

    private static func expand(_ pattern: String, _ context: Context) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let date = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: context.date)
        func padded(_ number: Int?, _ width: Int = 2) -> String {
            let digits = String(number ?? 0)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var result = ""
        var rest = Substring(pattern)
        while let character = rest.popFirst() {
            if character == "{", let name = Self.names.first(where: { ("{" + rest).hasPrefix($0) }) {
                rest = rest.dropFirst(name.count - 1)
                switch name {
                case "{upload.id}": result += context.id.uuidString.lowercased()
                case "{owner}": result += Filename.sanitised(context.owner ?? "anonymous")
                default: result += Filename.sanitised(context.field)
                }
            } else if character == "%", let directive = rest.popFirst() {
                switch directive {
                case "Y": result += padded(date.year, 4)
                case "y": result += padded((date.year ?? 0) % 100)
                case "m": result += padded(date.month)
                case "d": result += padded(date.day)
                case "H": result += padded(date.hour)
                case "M": result += padded(date.minute)
                case "S": result += padded(date.second)
                case "j": result += padded(calendar.ordinality(of: .day, in: .year, for: context.date), 3)
                default: result.append("%")
                }
            } else {
                result.append(character)
            }
        }
        return result
    }
}
