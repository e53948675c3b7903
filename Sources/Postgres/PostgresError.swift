/// What went wrong between us and Postgres.
///
/// `description` is fit for logs: it never holds parameter values. So the server's DETAIL is not kept at all (it quotes rows), and the
/// quoted part of a data exception's message (`invalid input syntax for type integer: "…"`) is struck out. What a function's own RAISE
/// says is passed on: let it name the column and the rule, not the value.
package struct PostgresError: Error, Sendable, Hashable {
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        package var description: String

        /// The server refused the statement; ``PostgresError/sqlState`` says why.
        package static let server = Code(description: "server")
        /// No connection could be made, or it was lost; a statement under way may or may not have taken effect.
        package static let connection = Code(description: "connection")
        /// A deadline of ours passed.
        package static let timeout = Code(description: "timeout")
        /// The task was cancelled.
        package static let cancelled = Code(description: "cancelled")
        /// A column does not hold what was asked of it.
        package static let decoding = Code(description: "decoding")
        /// A parameter or statement Postgres could not take, refused before it was sent.
        package static let invalidParameter = Code(description: "invalidParameter")
        /// The client or connection has been closed.
        package static let closed = Code(description: "closed")
        /// The settings make no sense.
        package static let configuration = Code(description: "configuration")
        /// COMMIT was answered with ROLLBACK, since a statement had failed before.
        package static let rolledBack = Code(description: "rolledBack")
    }

    package var code: Code
    /// The five characters of [Appendix A](https://www.postgresql.org/docs/15/errcodes-appendix.html), when the server spoke.
    package var sqlState: String?
    package var message: String
    package var schemaName: String?
    package var tableName: String?
    package var columnName: String?
    package var constraintName: String?
    package var dataTypeName: String?
    /// In a pipeline, which statement failed, from 0.
    package var statementIndex: Int?
    /// The character of the SQL text the server points at, from 1.
    package var position: Int?
    /// The connection turned out to be dead before anything was sent, so that it is safe to try again on another.
    var neverSent = false

    package init(_ code: Code, _ message: String, sqlState: String? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
    }

    static func cancelled() -> PostgresError { PostgresError(.cancelled, "The task was cancelled.") }

    static func closed(_ message: String = "The Postgres client has been closed.") -> PostgresError {
        PostgresError(.closed, message)
    }

    /// The server chose this transaction as the victim of a deadlock (40P01) or of a conflict between serializable ones (40001). All of it was
    /// rolled back, so that it is safe to repeat.
    package var isConflict: Bool { self.sqlState == "40P01" || self.sqlState == "40001" }

    static let readOnlyTransaction = "25006"

    /// Waiting does not help: the server knows us and refuses us, or the settings make no sense.
    package var isPermanentRefusal: Bool {
        if self.code == .configuration { return true }
        guard let sqlState = self.sqlState else { return false }
        return sqlState.hasPrefix("28") || sqlState == "3D000"
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        var facts: [String] = []
        if let sqlState = self.sqlState { facts.append("SQLSTATE \(sqlState)") }
        if let constraint = self.constraintName { facts.append("constraint \(constraint)") }
        if let table = self.tableName { facts.append("table \(table)") }
        if let column = self.columnName { facts.append("column \(column)") }
        if let index = self.statementIndex { facts.append("statement \(index + 1) of the pipeline") }
        return facts.isEmpty ? self.message : "\(self.message) (\(facts.joined(separator: ", ")))"
    }

    package var debugDescription: String { "PostgresError.\(self.code): \(self.description)" }
}
