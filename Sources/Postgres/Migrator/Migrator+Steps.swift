import Logging

/// How steps are run: under the lock, again when a table was busy, and with an error that names the line.
extension Migrator {
    private static let attempts = 10
    /// A statement outside a transaction is there because it blocks nobody while it waits, so it may wait this many times longer.
    private static let patienceOutside = 120.0
    /// What says that the objects are there already, of a table, column, schema, function, or other kind.
    private static let duplicates: Set<String> = ["42P07", "42701", "42P06", "42723", "42710"]
    private static let lockNotAvailable = "55P03"
    private static let deadlockDetected = "40P01"

    /// A statement of a script that the server refused.
    private struct Refusal: Error {
        var error: PostgresError
        /// In the script, from 1.
        var position: Int

        var isForLocks: Bool { [Migrator.lockNotAvailable, Migrator.deadlockDetected].contains(self.error.sqlState) }
    }

    /// Runs those of the steps that nobody else runs first.
    func run(_ steps: [MigrationStep], logger: Logger) async throws -> [MigrationStep] {
        guard !steps.isEmpty else { return [] }
        try await self.locked(logger) { try await $0.simple(self.record) }
        var done: [MigrationStep] = []
        for step in steps where try await self.run(step, logger: logger) { done.append(step) }
        return done
    }

    /// False when it had been done before.
    private func run(_ step: MigrationStep, logger: Logger) async throws -> Bool {
        guard let script = step.migration[step.part] else { return false }
        var attempt = 1
        while true {
            do {
                return try await self.attempt(step, script, logger: logger)
            } catch let refusal as Refusal where refusal.isForLocks && attempt < Self.attempts {
                logger.info(
                    "A migration waits for a lock",
                    metadata: [
                        "migration.version": "\(step.migration.version)", "attempt": "\(attempt)",
                        "line": "\(script.line(of: refusal.position))",
                    ]
                )
                try await Task.sleep(for: .milliseconds(250) * attempt)
                attempt += 1
            } catch let refusal as Refusal {
                throw await self.error(of: refusal, in: script, step, logger: logger)
            }
        }
    }

    private func attempt(_ step: MigrationStep, _ script: MigrationScript, logger: Logger) async throws -> Bool {
        try await self.locked(logger) { connection in
            let record = try await MigrationRecord(connection)
            try self.check(record)
            if record.contains(step) { return false }
            let start = ContinuousClock.now
            if script.runsInTransaction {
                try await self.runInside(script, step, connection)
            } else {
                // The last query's portal keeps its snapshot, until a simple query takes its place.
                try await connection.simple("set local lock_timeout = 0")
                try await self.runOutside(script)
            }
            try await MigrationRecord.note(step, connection)
            logger.info(
                step.part == .down ? "Took a migration back" : "Applied a migration",
                metadata: [
                    "migration.version": "\(step.migration.version)", "migration.name": "\(step.migration.name)",
                    "migration.part": "\(step.part.rawValue)", "duration": "\(ContinuousClock.now - start)",
                ]
            )
            return true
        }
    }

    private func runInside(_ script: MigrationScript, _ step: MigrationStep, _ connection: PostgresConnection) async throws {
        let milliseconds = String(Int64(self.lockTimeout / .milliseconds(1)))
        try await connection.query("select set_config('lock_timeout', \(milliseconds), true)")
        for statement in script.statements {
            try await Self.run(statement, connection)
            guard connection.control.state == .inTransaction else {
                throw MigrationError(
                    .failed,
                    """
                    \(step) ended the transaction it runs in at line \(script.line(of: statement.offset + 1)): \
                    take commit and rollback out of it.
                    """
                )
            }
        }
    }

    /// On a second connection, while the first holds the lock in an idle transaction: that keeps no snapshot which `create index
    /// concurrently` would wait for, and works behind a pooler that hands out connections by transaction.
    private func runOutside(_ script: MigrationScript) async throws {
        let milliseconds = String(Int64(self.lockTimeout * Self.patienceOutside / .milliseconds(1)))
        try await self.client.withConnection { connection in
            try await connection.query(
                "select set_config('lock_timeout', \(milliseconds), false), set_config('statement_timeout', '0', false)"
            )
            let result: Result<Void, any Error>
            do {
                for statement in script.statements { try await Self.run(statement, connection) }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            _ = try? await connection.shielded("reset lock_timeout", timeout: .after(.seconds(5)))
            _ = try? await connection.shielded("reset statement_timeout", timeout: .after(.seconds(5)))
            try result.get()
        }
    }

    private static func run(_ statement: SQLStatement, _ connection: PostgresConnection) async throws {
        do {
            try await connection.simple(statement.text)
        } catch let error as PostgresError where error.code == .server {
            throw Refusal(error: error, position: statement.offset + (error.position ?? 1))
        }
    }

    private func error(of refusal: Refusal, in script: MigrationScript, _ step: MigrationStep, logger: Logger) async
        -> MigrationError
    {
        let line = script.line(of: refusal.position)
        if refusal.isForLocks {
            return MigrationError(
                .busy,
                """
                \(step) waited \(Self.attempts) times for a table that others keep locked (line \(line)): \
                end their transactions (pg_stat_activity shows them), and run it again.
                """,
                underlying: refusal.error
            )
        }
        if step.part != .down, let state = refusal.error.sqlState, Self.duplicates.contains(state),
            let version = await self.adoptable(logger)
        {
            return MigrationError(
                .unrecorded,
                """
                The database has what the migrations up to \(version) make, but no record of it, as when psql ran the files alone: \
                run s3file migrate adopt \(version).
                """,
                underlying: refusal.error
            )
        }
        let consequence = script.runsInTransaction ? "and was rolled back" : "and begins anew when it is run again"
        return MigrationError(
            .failed,
            "\(step) failed at line \(line) \(consequence): \(refusal.error)",
            underlying: refusal.error
        )
    }
}
