import Logging

extension Migrator {
    /// "s3file" in ASCII; advisory locks are numbers, and shared by all who use the database. up.psql takes the same.
    private static let lock: Int64 = 0x7333_6669_6c65

    /// Runs `body` in a transaction that holds the lock of all migrators.
    ///
    /// It asks again and again instead of waiting in the server: who waits there has a snapshot, for whose end `create index concurrently`
    /// would wait, while its process holds the lock.
    func locked<R: Sendable>(_ logger: Logger, _ body: (PostgresConnection) async throws -> R) async throws -> R {
        let lock = Self.lock
        var pause = Duration.milliseconds(50)
        while true {
            let result = try await self.client.withTransaction { connection -> R? in
                try await connection.query("set transaction isolation level read committed, read write")
                let locked = try await connection.query("select pg_try_advisory_xact_lock(\(lock)) as locked")
                guard try locked[0]["locked", Bool.self] else { return nil }
                // However short the role's or the server's patience is with others.
                try await connection.query(
                    """
                    select set_config(name, '0', true) from pg_settings
                     where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
                    """
                )
                return try await body(connection)
            }
            if let result { return result }
            if pause == .milliseconds(50) { logger.info("Another process migrates this database; waiting for it") }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
    }
}
