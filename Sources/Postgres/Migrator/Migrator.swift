package import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Brings a database to the version of the binary, one transaction a migration, and refuses what it does not understand.
///
/// Any number of processes may do it at once: each step holds an advisory lock until its transaction ends, and looks again at what has been
/// applied once it has the lock.
package struct Migrator: Sendable {
    private struct Applied {
        var version: Int
        var name: String
        var checksum: String
        var at: Date
    }

    /// "s3file" in ASCII; advisory locks are numbers, and shared by all who use the database.
    private static let lock: Int64 = 0x7333_6669_6c65
    /// A migration that cannot lock a busy table in time lets the others by, and tries again.
    package static let defaultLockTimeout: Duration = .seconds(5)
    private static let attempts = 10

    private let client: PostgresClient
    private let migrations: [Migration]
    private let lockTimeout: Duration

    package init(client: PostgresClient, migrations: [Migration], lockTimeout: Duration = Self.defaultLockTimeout) {
        self.client = client
        self.lockTimeout = lockTimeout
        self.migrations = migrations.sorted { $0.version < $1.version }
    }

    /// Applies what is missing, in order, and returns it.
    package func apply(logger: Logger) async throws -> [Migration] {
        try self.checkNumbers()
        try await self.prepare()
        var done: [Migration] = []
        for migration in self.migrations where try await self.apply(migration, logger: logger) { done.append(migration) }
        if self.migrations.isEmpty { try await self.client.withConnection { try self.check(try await self.applied($0)) } }
        return done
    }

    /// What the binary and the database know, in order of version. Changes nothing.
    package func status() async throws -> [MigrationStatus] {
        try self.checkNumbers()
        let applied = try await self.client.withConnection { connection -> [Applied] in
            let exists = try await connection.query("select to_regclass('s3file.schema_migration') is not null as exists")
            return try exists[0]["exists", Bool.self] ? try await self.applied(connection) : []
        }
        let known = Dictionary(uniqueKeysWithValues: self.migrations.map { ($0.version, $0) })
        let database = applied.map { row in
            let state: MigrationStatus.State =
                switch known[row.version]?.checksum {
                case row.checksum: .applied(at: row.at)
                case nil: .unknown(at: row.at)
                default: .edited(at: row.at)
                }
            return MigrationStatus(version: row.version, name: row.name, state: state)
        }
        let versions = Set(applied.map(\.version))
        let pending = self.migrations.filter { !versions.contains($0.version) }.map {
            MigrationStatus(version: $0.version, name: $0.name, state: .pending)
        }
        return (database + pending).sorted { $0.version < $1.version }
    }

    // MARK: Steps

    private func prepare() async throws {
        let lock = Self.lock
        try await self.client.withTransaction { connection in
            // Under the lock, since `create … if not exists` is not safe against itself.
            try await connection.query("select pg_advisory_xact_lock(\(lock))", timeout: .none)
            let exists = try await connection.query("select to_regclass('s3file.schema_migration') is not null as exists")
            if try exists[0]["exists", Bool.self] { return }
            try await connection.simple(
                """
                create schema if not exists s3file;
                create table s3file.schema_migration (
                    version bigint primary key,
                    name text not null,
                    checksum text not null,
                    applied_at timestamptz not null default now()
                );
                """
            )
        }
    }

    /// False when it had been applied before.
    private func apply(_ migration: Migration, logger: Logger) async throws -> Bool {
        var attempt = 1
        while true {
            do {
                return try await self.attempt(migration, logger: logger)
            } catch let error as PostgresError where error.sqlState == "55P03" && attempt < Self.attempts {
                logger.info(
                    "A migration waits for a lock",
                    metadata: ["migration.version": "\(migration.version)", "attempt": "\(attempt)"]
                )
                try await Task.sleep(for: .milliseconds(250) * attempt)
                attempt += 1
            } catch let error as PostgresError where error.code == .server {
                let line = error.position.map { " at line \(Self.line(of: $0, in: migration.sql))" } ?? ""
                throw MigrationError(
                    .failed,
                    "Migration \(migration.version) (\(migration.name)) failed\(line) and was rolled back: \(error)",
                    underlying: error
                )
            }
        }
    }

    private func attempt(_ migration: Migration, logger: Logger) async throws -> Bool {
        let lock = Self.lock
        let milliseconds = String(Int64(self.lockTimeout / .milliseconds(1)))
        return try await self.client.withTransaction { connection in
            try await connection.query("select pg_advisory_xact_lock(\(lock))", timeout: .none)
            let applied = try await self.applied(connection)
            try self.check(applied)
            if applied.contains(where: { $0.version == migration.version }) { return false }
            try await connection.query("select set_config('lock_timeout', \(milliseconds), true)")
            let start = ContinuousClock.now
            try await connection.simple(migration.sql)
            guard connection.control.state == .inTransaction else {
                throw MigrationError(
                    .failed,
                    """
                    Migration \(migration.version) (\(migration.name)) ended the transaction it runs in: \
                    take commit and rollback out of it.
                    """
                )
            }
            try await connection.query(
                """
                insert into s3file.schema_migration (version, name, checksum)
                values (\(migration.version), \(migration.name), \(migration.checksum))
                """
            )
            logger.info(
                "Applied a migration",
                metadata: [
                    "migration.version": "\(migration.version)", "migration.name": "\(migration.name)",
                    "duration": "\(ContinuousClock.now - start)",
                ]
            )
            return true
        }
    }

    private func applied(_ connection: PostgresConnection) async throws -> [Applied] {
        let rows = try await connection.query(
            "select version, name, checksum, applied_at from s3file.schema_migration order by version"
        )
        return try rows.map {
            Applied(
                version: try $0["version", Int.self],
                name: try $0["name", String.self],
                checksum: try $0["checksum", String.self],
                at: try $0["applied_at", Date.self]
            )
        }
    }

    // MARK: Refusals

    private func checkNumbers() throws {
        for (one, next) in zip(self.migrations, self.migrations.dropFirst()) where one.version == next.version {
            throw MigrationError(
                .duplicate,
                "Migrations \(one.name) and \(next.name) have the same number \(one.version): renumber one."
            )
        }
    }

    private func check(_ applied: [Applied]) throws {
        let known = Dictionary(uniqueKeysWithValues: self.migrations.map { ($0.version, $0) })
        for row in applied {
            guard let migration = known[row.version] else {
                throw MigrationError(
                    .newerDatabase,
                    """
                    The database has migration \(row.version) (\(row.name)), which this binary does not know: \
                    run a binary at least as new as the one that applied it.
                    """
                )
            }
            guard migration.checksum == row.checksum else {
                throw MigrationError(
                    .edited,
                    """
                    Migration \(row.version) (\(row.name)) has been edited since it was applied: \
                    restore its text and put the change into a new migration.
                    """
                )
            }
        }
        let versions = Set(applied.map(\.version))
        if let last = applied.last?.version,
            let skipped = self.migrations.first(where: { $0.version < last && !versions.contains($0.version) })
        {
            throw MigrationError(
                .outOfOrder,
                """
                Migration \(skipped.version) (\(skipped.name)) is missing, but \(last) has been applied: \
                give it a number above \(last).
                """
            )
        }
    }

    private static func line(of position: Int, in script: String) -> Int {
        1 + script.unicodeScalars.prefix(max(0, position - 1)).count { $0 == "\n" }
    }
}
