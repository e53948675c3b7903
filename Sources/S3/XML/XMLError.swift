/// Why a document was refused.
package struct XMLError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable {
        /// Not well-formed, or cut off.
        case malformed
        /// A document type, a processing instruction, an unknown entity or another encoding: S3 sends none of these.
        case forbidden
        /// Larger, deeper or of more elements than allowed.
        case tooLarge
    }

    package var code: Code
    package var message: String
    /// In bytes from the start.
    package var offset: Int

    package var description: String { "\(self.message) (at byte \(self.offset))" }
}
