import Crypto

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// One numbered script.
package struct Migration: Sendable, Hashable {
    package var version: Int
    package var name: String
    package var sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// SHA-256 of the script, in hexadecimal.
    package var checksum: String {
        SHA256.hash(data: Array(self.sql.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

/// One migration, as the binary and the database know it.
package struct MigrationStatus: Sendable, Hashable {
    package enum State: Sendable, Hashable {
        case pending
        case applied(at: Date)
        /// Applied, but with another text than the binary has.
        case edited(at: Date)
        /// Applied by another binary; this one does not know it.
        case unknown(at: Date)
    }

    package var version: Int
    package var name: String
    package var state: State
}

/// Why migrations were not applied. Those before the one at fault stay applied.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    package struct Code: Sendable, Hashable {
        let raw: String
        /// Two migrations of the binary have the same number.
        package static let duplicate = Code(raw: "duplicate")
        /// An applied migration's text has changed since.
        package static let edited = Code(raw: "edited")
        /// The database has migrations this binary does not know.
        package static let newerDatabase = Code(raw: "newerDatabase")
        /// A later migration has been applied without this one.
        package static let outOfOrder = Code(raw: "outOfOrder")
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
