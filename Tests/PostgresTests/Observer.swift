import Postgres
import Testing

/// Within this ends whatever waits for nothing. What it would wait for takes longer, and is set so where this is used: statements of 60 s without
/// a timeout of their own, a patience of 120 s. Machines have stood still for 18 s.
let atOnce: Duration = .seconds(45)

/// Runs `body` beside a connection of its own, for looking at what the others do.
func withObserver<R: Sendable>(_ url: String, _ body: (PostgresConnection) async throws -> R) async throws -> R {
    let observer = PostgresConnection(configuration: PostgresConfiguration(url: url, applicationName: "observer"))
    try await observer.connect()
    let result: Result<R, any Error>
    do {
        result = .success(try await body(observer))
    } catch {
        result = .failure(error)
    }
    await observer.close()
    return try result.get()
}

extension PostgresConnection {
    /// How many other sessions of this database run a statement that contains `text`.
    func active(_ text: String) async throws -> Int {
        let rows = try await self.query(
            """
            select count(*) as count from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
                and position(\(text) in query) > 0
            """
        )
        return try rows[0]["count", Int.self]
    }

    func pid() async throws -> Int32 {
        try await self.query("select pg_backend_pid() as pid")[0]["pid", Int32.self]
    }
}

extension PostgresClient {
    func pid() async throws -> Int32 {
        try await self.query("select pg_backend_pid() as pid")[0]["pid", Int32.self]
    }

    func count(_ sql: SQL) async throws -> Int {
        try await self.query(sql)[0][0, Int.self]
    }
}
