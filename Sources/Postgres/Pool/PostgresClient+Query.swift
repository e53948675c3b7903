extension PostgresClient {
    /// Runs one statement on any connection.
    ///
    /// - Parameter retryingConflicts: Repeats the statement once when it fell victim to a deadlock or a conflict (``PostgresError/isConflict``).
    @discardableResult
    package func query(
        _ sql: SQL,
        timeout: StatementTimeout = .configured,
        retryingConflicts: Bool = false
    ) async throws -> PostgresRows {
        try await self.onAnyConnection(retryingConflicts) { try await $0.query(sql, timeout: timeout) }
    }

    /// Runs the statements in one round trip and one transaction: all or nothing.
    ///
    /// - Parameter retryingConflicts: Repeats them once when they fell victim to a deadlock or a conflict (``PostgresError/isConflict``).
    @discardableResult
    package func pipeline(
        _ statements: [SQL],
        timeout: StatementTimeout = .configured,
        retryingConflicts: Bool = false
    ) async throws -> [PostgresRows] {
        try await self.onAnyConnection(retryingConflicts) { try await $0.pipeline(statements, timeout: timeout) }
    }

    /// Lends a connection to `body`. It goes back to the pool after, unless it is broken or in a transaction.
    @discardableResult
    package func withConnection<R: Sendable>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        let lease = try await self.leaseAlive()
        defer { self.release(lease) }
        return try await body(lease.connection)
    }

    /// Runs `body` in a transaction: COMMIT when it returns, ROLLBACK when it throws, also because of a cancellation.
    @discardableResult
    package func withTransaction<R: Sendable>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        try await self.withConnection { try await $0.withTransaction(body) }
    }

    /// A connection that turns out to have been closed by the server before anything was sent is no reason to fail: try the next.
    private func onAnyConnection<R: Sendable>(
        _ retryingConflicts: Bool,
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        var attempts = self.configuration.maximumConnections
        var mayRepeat = retryingConflicts
        while true {
            do {
                let lease = try await self.lease()
                defer { self.release(lease) }
                return try await body(lease.connection)
            } catch let error as PostgresError where error.neverSent && attempts > 0 {
                attempts -= 1
            } catch let error as PostgresError where error.isConflict && mayRepeat {
                mayRepeat = false
                // At once it might take its locks again before the other one wakes up, and the two would be where they were.
                guard (try? await Task.sleep(for: .milliseconds(Int.random(in: 50...100)))) != nil else { throw error }
            }
        }
    }
}
