import CLibpq
import DequeModule

/// One connection. Every libpq call happens on the reactor's thread; statements of several tasks queue up.
package actor PostgresConnection {
    nonisolated let reactor = Reactor.shared
    nonisolated let control = ConnectionControl()
    nonisolated let configuration: PostgresConfiguration

    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.reactor.asUnownedSerialExecutor() }

    /// Nil before it is connected, and after it was closed or broke.
    var handle: LibpqHandle?
    private var busy = false
    private var queue: Deque<CheckedContinuation<Void, Never>> = []

    package init(configuration: PostgresConfiguration) {
        self.configuration = configuration
    }

    // MARK: Statements

    /// Runs one statement, in its own transaction unless one is open.
    @discardableResult
    package func query(_ sql: SQL, timeout: StatementTimeout = .configured) async throws -> PostgresRows {
        let results = try await self.perform(.single(sql), timeout: timeout)
        return results[0]
    }

    /// Runs the statements in one round trip and, unless a transaction is open, as one transaction: all or nothing.
    @discardableResult
    package func pipeline(_ statements: [SQL], timeout: StatementTimeout = .configured) async throws -> [PostgresRows] {
        if statements.isEmpty { return [] }
        return try await self.perform(.pipeline(statements), timeout: timeout)
    }

    /// Runs a script of any number of statements, without parameters and results. A script has no deadline unless it is given one.
    package func simple(_ script: String, timeout: StatementTimeout = .none) async throws {
        _ = try await self.perform(.simple(script), timeout: timeout)
    }

    /// Runs a statement that must not be cut short because the task was cancelled, such as ROLLBACK.
    @discardableResult
    func shielded(_ sql: SQL, timeout: StatementTimeout) async throws -> PostgresRows {
        let results = try await self.perform(.single(sql), timeout: timeout, shielded: true)
        return results[0]
    }

    /// Runs `body` between BEGIN and COMMIT, or ROLLBACK when it throws, also when it throws because the task was cancelled.
    @discardableResult
    package nonisolated func withTransaction<R: Sendable>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        try await self.query("begin")
        let result: R
        do {
            result = try await body(self)
        } catch {
            // A failure leaves the connection in a transaction or broken, and the pool discards it.
            _ = try? await self.shielded("rollback", timeout: .after(.seconds(5)))
            throw error
        }
        let commit = try await self.shielded("commit", timeout: .configured)
        guard commit.commandTag == "COMMIT" else {
            throw PostgresError(
                .rolledBack,
                "Nothing was committed: a statement of the transaction failed and its error was not passed on."
            )
        }
        return result
    }

    // MARK: Closing

    /// Ends the connection once the statement under way is done; ``ConnectionControl/abort()`` cancels that one first.
    package func close() async {
        await self.takeTurn()
        defer { self.endTurn() }
        self.discard()
    }

    func discard(as state: ConnectionControl.State = .broken) {
        self.control.state = state
        self.control.socket = -1
        self.handle = nil
    }

    /// Whether it can be used, as far as one can tell without asking the server.
    func isAlive() -> Bool {
        if self.busy { return true }
        return (try? self.usableHandle()) != nil
    }

    // MARK: Turns

    /// libpq has one conversation at a time, and an actor's methods interleave at every `await`.
    func takeTurn() async {
        if !self.busy {
            self.busy = true
            return
        }
        await withCheckedContinuation { self.queue.append($0) }
    }

    func endTurn() {
        if let next = self.queue.popFirst() {
            next.resume()
        } else {
            self.busy = false
        }
    }
}
