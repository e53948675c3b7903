/// A reader of bytes that come from anywhere, and what must hold of it whatever they are.
package enum FuzzedReader: String, CaseIterable, Sendable {
    case xml, policy, multipart, ticket, profiles, signature, json, chunked, values, headers, settings

    /// Reads the bytes, and everything that follows from them.
    ///
    /// - Throws: ``InvariantViolation``; a crash and a hang are found by whoever runs this.
    package func check(_ bytes: [UInt8]) throws(InvariantViolation) {
        switch self {
        case .xml: try Self.checkXML(bytes)
        case .policy: try Self.checkPolicy(bytes)
        case .multipart: try Self.checkMultipart(bytes)
        case .ticket: try Self.checkTicket(bytes)
        case .profiles: try Self.checkProfiles(bytes)
        case .signature: try Self.checkSignature(bytes)
        case .json: try Self.checkJSON(bytes)
        case .chunked: try Self.checkChunked(bytes)
        case .values: try Self.checkValues(bytes)
        case .headers: try Self.checkHeaders(bytes)
        case .settings: try Self.checkSettings(bytes)
        }
    }
}

package struct InvariantViolation: Error, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}

func require(_ condition: Bool, _ what: @autoclosure () -> String) throws(InvariantViolation) {
    if !condition { throw InvariantViolation(what()) }
}
