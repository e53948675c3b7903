import Logging
import Migrations
import Postgres
import S3File

/// Postgres alone, for the length of one command.
enum Database {
    static func with<R: Sendable>(_ url: String, logger: Logger, _ body: (PostgresClient) async throws -> R) async throws -> R {
        let client = PostgresClient(configuration: PostgresConfiguration(url: url), logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            let result: Result<R, any Error>
            do { result = .success(try await body(client)) } catch { result = .failure(error) }
            group.cancelAll()
            while !group.isEmpty { _ = try? await group.next() }
            return try result.get()
        }
    }

    /// The migrations of this binary, against a database.
    static func migrator(_ client: PostgresClient) -> Migrator {
        Migrator(client: client, migrations: Migrations.all.map { Migration(version: $0.version, name: $0.name, sql: $0.sql) })
    }
}
