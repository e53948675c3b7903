#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What `s3file.schema_migration` says, in order of version.
struct MigrationRecord: Sendable {
    struct Row: Sendable {
        var version: Int
        var name: String
        var checksum: String
        var appliedAt: Date
        var postChecksum: String?
        var downChecksum: String?
        /// Code that does not know this version must not work with the database.
        var isBreaking: Bool
    }

    let rows: [Row]

    subscript(version: Int) -> Row? { self.rows.first { $0.version == version } }

    /// Reads it in any shape it ever had; empty when there is none. Changes nothing.
    init(_ connection: PostgresConnection) async throws {
        let exists = try await connection.query("select to_regclass('s3file.schema_migration') is not null as exists")
        guard try exists[0]["exists", Bool.self] else {
            self.rows = []
            return
        }
        // By JSON, for the columns that version 1 did not have.
        let rows = try await connection.query(
            """
            select version, name, checksum, applied_at,
                   to_jsonb(m) ->> 'post_checksum' as post_checksum, to_jsonb(m) ->> 'down_checksum' as down_checksum,
                   coalesce((to_jsonb(m) ->> 'breaking')::boolean, false) as breaking
              from s3file.schema_migration m order by version
            """
        )
        self.rows = try rows.map {
            Row(
                version: try $0["version", Int.self],
                name: try $0["name", String.self],
                checksum: try $0["checksum", String.self],
                appliedAt: try $0["applied_at", Date.self],
                postChecksum: try $0["post_checksum", String?.self],
                downChecksum: try $0["down_checksum", String?.self],
                isBreaking: try $0["breaking", Bool.self]
            )
        }
    }

    /// The part of an applied migration whose text is not the one that was applied.
    func editedPart(of migration: Migration) -> Migration.Part? {
        guard let row = self[migration.version] else { return nil }
        if row.checksum != migration.pre.checksum { return .pre }
        if let checksum = row.postChecksum, checksum != migration.post?.checksum { return .post }
        if let checksum = row.downChecksum, checksum != migration.down?.checksum { return .down }
        return nil
    }

    func contains(_ step: MigrationStep) -> Bool {
        guard let row = self[step.migration.version] else { return step.part == .down }
        return step.part == .pre || step.part == .post && row.postChecksum != nil
    }

    /// Notes a step that was done.
    static func note(_ step: MigrationStep, _ connection: PostgresConnection) async throws {
        let migration = step.migration
        switch step.part {
        case .pre:
            try await connection.query(
                """
                insert into s3file.schema_migration (version, name, checksum, down_checksum, breaking, applied_at)
                values (\(migration.version), \(migration.name), \(migration.pre.checksum), \(migration.down?.checksum),
                        \(migration.pre.breaksOlderCode), clock_timestamp())
                """
            )
        case .post:
            try await connection.query(
                """
                update s3file.schema_migration
                   set post_checksum = \(migration.post?.checksum), post_applied_at = clock_timestamp(), breaking = true
                 where version = \(migration.version)
                """
            )
        case .down:
            try await connection.query("delete from s3file.schema_migration where version = \(migration.version)")
        }
    }
}
