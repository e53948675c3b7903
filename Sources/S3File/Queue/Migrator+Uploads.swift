import Migrations
package import Postgres

extension Migrator {
    /// The migrations of this binary, for a database of uploads.
    package static func uploads(_ client: PostgresClient) -> Migrator {
        Migrator(
            client: client,
            record: Migrations.record,
            migrations: Migrations.all.map {
                Migration(version: $0.number, name: $0.name, sql: $0.pre, post: $0.post, down: $0.down)
            }
        )
    }
}
