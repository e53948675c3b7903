/// A setting that is missing or wrong, in a sentence that names it and says what to set.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// The sentence.
    public var message: String

    /// An error with its sentence: what is wrong, and what to set.
    public init(_ message: String) {
        self.message = message
    }

    /// The sentence.
    public var description: String { self.message }
}
