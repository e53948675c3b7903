import Postgres

/// The tables in Postgres are not those that this version works with. The sentence names the remedy.
public struct SchemaError: Error, Sendable, CustomStringConvertible {
    /// Which side is behind.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's own name, for logs.
        public let description: String

        /// The tables are older: run `s3file migrate`.
        public static let tablesTooOld = Code(description: "tablesTooOld")
        /// The tables have been migrated to where this version cannot follow: update the program.
        public static let programTooOld = Code(description: "programTooOld")
    }

    /// Which side is behind.
    public var code: Code
    /// The sentence.
    public var message: String

    init(_ error: MigrationError) {
        self.code = error.code == .newerDatabase ? .programTooOld : .tablesTooOld
        self.message = error.description
    }

    /// The sentence.
    public var description: String { self.message }
}
