import Migrations
package import Postgres

extension Migrator {
    /// The migrations of this binary, for a database of uploads.
    package static func uploads(_ client: PostgresClient) -> Migrator {
        Migrator(client: client, migrations: Migrations.all.map { Migration(version: $0.version, name: $0.name, sql: $0.sql) })
    }
}
