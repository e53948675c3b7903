import Logging
import Migrations
import Postgres
import S3File

/// Postgres alone, for the length of one command.
enum Database {
    static func with<R: Sendable>(_ url: String, logger: Logger, _ body: (PostgresClient) async throws -> R) async throws -> R {
        let client = PostgresClient(configuration: PostgresConfiguration(url: url), logger: logger)
        return try await client.whileRunning { try await body(client) }
    }

    /// The migrations of this binary, against a database.
    static func migrator(_ client: PostgresClient) -> Migrator {
        Migrator(client: client, migrations: Migrations.all.map { Migration(version: $0.version, name: $0.name, sql: $0.sql) })
    }
}
