package import Logging
import Migrations
package import Postgres

/// A test database with our tables.
package func withMigratedDatabase<R: Sendable>(_ body: (PostgresClient, String) async throws -> R) async throws -> R {
    try await withTestDatabase { client, url in
        let migrations = Migrations.all.map { Migration(version: $0.version, name: $0.name, sql: $0.sql) }
        _ = try await Migrator(client: client, migrations: migrations).apply(logger: .quiet)
        return try await body(client, url)
    }
}

extension Logger {
    /// For what a test runs and nobody reads.
    package static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}
