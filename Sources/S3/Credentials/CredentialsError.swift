/// Why a source of credentials gave none.
package struct CredentialsError: Error, Sendable {
    package enum Kind: Sendable, Hashable {
        /// Nothing points to this source here: the next one may be asked.
        case absent
        /// The source is set up and does not work. Asking the next one could make this process somebody else.
        case failed
    }

    package var kind: Kind
    /// `the environment`, `web identity`, …
    package var source: String
    /// A sentence for people, which never holds a secret.
    package var reason: String
    /// Whether the same source may answer later, without anything being changed.
    package var retryable: Bool

    package init(_ kind: Kind, _ source: String, _ reason: String, retryable: Bool = false) {
        self.kind = kind
        self.source = source
        self.reason = reason
        self.retryable = retryable
    }
}

extension CredentialsError: CustomStringConvertible {
    package var description: String { "\(self.source): \(self.reason)" }

    /// Other programs' words, on one line and short enough for logs.
    static func quoted(_ text: some StringProtocol) -> String {
        String(text.prefix(200).map { $0.isNewline || $0.isASCII && ($0.asciiValue ?? 0) < 0x20 ? " " : $0 })
    }
}
