/// Why a multipart body was refused. The message may be shown to whoever sent the body: it repeats none of it.
package struct MultipartError: Error, Hashable, Sendable, CustomStringConvertible {
    package struct Code: Hashable, Sendable {
        private let name: String

        /// The body, or its `Content-Type`, breaks the grammar of RFC 2046 or RFC 7578.
        package static let malformed = Code(name: "malformed")
        /// The body ended before its closing delimiter.
        package static let truncated = Code(name: "truncated")
        /// A bound was passed: header bytes, parts, or the size of a field.
        package static let tooLarge = Code(name: "tooLarge")
    }

    package var code: Code
    package var message: String

    package var description: String { self.message }

    static func malformed(_ message: String) -> Self {
        Self(code: .malformed, message: message)
    }

    static func tooLarge(_ message: String) -> Self {
        Self(code: .tooLarge, message: message)
    }
}
