/// Why the database was left as it is. Migrations before the one at fault stay applied.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    package struct Code: Sendable, Hashable {
        let raw: String
        /// Two migrations of the binary have the same number.
        package static let duplicate = Code(raw: "duplicate")
        /// A script breaks a rule of its own, whatever the database is like.
        package static let invalidScript = Code(raw: "invalidScript")
        /// The version that was asked for is none of the binary's, or lies in the other direction.
        package static let invalidTarget = Code(raw: "invalidTarget")
        /// An applied migration's text has changed since.
        package static let edited = Code(raw: "edited")
        /// The database lacks migrations that this binary needs.
        package static let olderDatabase = Code(raw: "olderDatabase")
        /// The database has migrations this binary does not know.
        package static let newerDatabase = Code(raw: "newerDatabase")
        /// A later migration has been applied without this one.
        package static let outOfOrder = Code(raw: "outOfOrder")
        /// A post part has to come first.
        package static let postPending = Code(raw: "postPending")
        /// Only what is safe beside older code was asked for, and this is not.
        package static let breaksOlderCode = Code(raw: "breaksOlderCode")
        /// There is no way back.
        package static let noDownPart = Code(raw: "noDownPart")
        /// What the migration makes is there, but not the record of it.
        package static let unrecorded = Code(raw: "unrecorded")
        /// What the migration makes is not there, or different.
        package static let notThere = Code(raw: "notThere")
        /// Others kept a table locked all the time.
        package static let busy = Code(raw: "busy")
        /// The server refused the script.
        package static let failed = Code(raw: "failed")
    }

    package var code: Code
    package var description: String
    package var underlying: PostgresError?

    init(_ code: Code, _ description: String, underlying: PostgresError? = nil) {
        self.code = code
        self.description = description
        self.underlying = underlying
    }
}
