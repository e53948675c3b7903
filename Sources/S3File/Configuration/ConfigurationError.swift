/// A setting that is missing or wrong, in a sentence that names it and says what to set.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// The sentence.
    public var message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { self.message }
}
