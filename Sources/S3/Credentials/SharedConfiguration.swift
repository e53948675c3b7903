/// The profiles of the AWS CLI's two files, as far as credentials and the region are concerned.
///
/// ([AWS: Shared config and credentials files](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html))
package struct SharedConfiguration: Sendable, Equatable {
    package enum File: Sendable {
        /// Sections are `[profile name]` or `[default]`.
        case config
        /// Sections are `[name]`.
        case credentials
    }

    package typealias Profile = [String: String]

    static let source = "the shared configuration files"
    private static let maximumLines = 20_000

    package private(set) var profiles: [String: Profile] = [:]

    package init() {}

    /// Adds a file's profiles. What was read earlier is replaced property by property, so the credentials file, which goes before
    /// the config file, is read last.
    package mutating func read(_ text: String, _ file: File, path: String) throws(CredentialsError) {
        func malformed(_ line: Int, _ what: String) -> CredentialsError {
            // The line itself may be a secret.
            CredentialsError(.failed, Self.source, "\(path), line \(line): \(what)")
        }
        var section: Section = .none
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }) {
            number += 1
            guard number <= Self.maximumLines else { throw malformed(number, "there are too many lines") }
            guard let first = line.first(where: { !Self.isBlank($0) }), first != "#", first != ";" else { continue }
            if line.first == "[" {
                guard let end = line.firstIndex(of: "]") else { throw malformed(number, "the section's ] is missing") }
                section = Self.section(line[line.index(after: line.startIndex)..<end], file)
                if case .profile(let name) = section, self.profiles[name] == nil { self.profiles[name] = [:] }
                continue
            }
            // An indented line belongs to the property above it, as those below `s3 =` do. None of them matters here.
            if let character = line.first, Self.isBlank(character) { continue }
            guard let equals = line.firstIndex(of: "=") else { throw malformed(number, "expected name = value") }
            let name = Self.trimmed(line[..<equals]).lowercased()
            guard !name.isEmpty else { throw malformed(number, "expected name = value") }
            switch section {
            case .none: throw malformed(number, "expected a section such as [default] before it")
            case .other: continue
            case .profile(let profile):
                self.profiles[profile]?[name] = Self.value(line[line.index(after: equals)...])
            }
        }
    }

    private enum Section {
        case none
        case profile(String)
        /// `[sso-session …]`, `[services …]` and whatever comes.
        case other
    }

    private static func section(_ header: Substring, _ file: File) -> Section {
        let header = self.trimmed(header)
        switch file {
        case .credentials: return .profile(header)
        case .config:
            if header == "default" { return .profile(header) }
            guard header.hasPrefix("profile"), let blank = header.dropFirst(7).first, self.isBlank(blank) else { return .other }
            let name = self.trimmed(header.dropFirst(8))
            guard let quote = name.first, quote == "\"" || quote == "'" else { return .profile(name) }
            return name.count > 1 && name.last == quote ? .profile(String(name.dropFirst().dropLast())) : .other
        }
    }

    /// Up to a comment, which a blank precedes.
    private static func value(_ text: Substring) -> String {
        var end = text.endIndex
        var previous: Character?
        for index in text.indices {
            if text[index] == "#" || text[index] == ";", previous.map(self.isBlank) ?? false {
                end = index
                break
            }
            previous = text[index]
        }
        return self.trimmed(text[..<end])
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var text = text[...]
        while let first = text.first, self.isBlank(first) { text.removeFirst() }
        while let last = text.last, self.isBlank(last) { text.removeLast() }
        return String(text)
    }
}
