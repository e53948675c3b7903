package import Logging

/// Brings a database to the version of the binary, or back, and refuses what it does not understand.
///
/// Any number of processes may do it at once: each step holds an advisory lock until its transaction ends, and looks again at what has been
/// applied once it has the lock. Parts run in one order only, the order in which they were tested: 1, 2, post part of 2, 3, …
package struct Migrator: Sendable {
    /// A migration that cannot lock a busy table in time lets the others by, and tries again.
    package static let defaultLockTimeout: Duration = .seconds(5)

    let client: PostgresClient
    /// Makes the table of what was applied, or brings it up to date.
    let record: String
    let migrations: [Migration]
    let lockTimeout: Duration

    package init(
        client: PostgresClient,
        record: String,
        migrations: [Migration],
        lockTimeout: Duration = Self.defaultLockTimeout
    ) {
        self.client = client
        self.record = record
        self.migrations = migrations.sorted { $0.version < $1.version }
        self.lockTimeout = lockTimeout
    }

    // MARK: Up

    /// Applies what is missing, in order, and returns it.
    ///
    /// - Parameters:
    ///   - target: The last version to apply; nil is the newest.
    ///   - parts: Only pre parts while older code still runs, and the post parts when it is gone; or both at once.
    @discardableResult
    package func apply(
        to target: Int? = nil,
        parts: Set<Migration.Part> = [.pre, .post],
        logger: Logger
    ) async throws -> [MigrationStep] {
        try self.validate(target: target)
        // Without the lock, so that a process which finds nothing to do waits for nobody.
        let steps = try self.stepsUp(try await self.client.withConnection(MigrationRecord.init), to: target, parts: parts)
        return try await self.run(steps, logger: logger)
    }

    private func stepsUp(
        _ record: MigrationRecord,
        to target: Int?,
        parts: Set<Migration.Part>
    ) throws(MigrationError) -> [MigrationStep] {
        try self.check(record)
        if let target, let last = record.rows.last?.version, last > target {
            throw MigrationError(
                .invalidTarget,
                "The database is at version \(last) already: s3file migrate down goes back to \(target)."
            )
        }
        var steps: [MigrationStep] = []
        var waiting: Migration?
        for migration in self.migrations where migration.version <= target ?? .max {
            let (pre, post) = (MigrationStep(migration: migration, part: .pre), MigrationStep(migration: migration, part: .post))
            let isApplied = record.contains(pre)
            if !isApplied {
                guard parts.contains(.pre) else { continue }
                if let waiting {
                    throw MigrationError(
                        .postPending,
                        """
                        \(pre) comes after the post part of \(waiting.version) (\(waiting.name)): see that no code older than version \
                        \(waiting.version) runs, and run s3file migrate.
                        """
                    )
                }
                // On new tables there is no older code.
                if parts == [.pre], migration.pre.breaksOlderCode, !record.rows.isEmpty {
                    throw MigrationError(
                        .breaksOlderCode,
                        "\(pre) breaks the code of earlier versions: stop all of it, and run s3file migrate without --pre."
                    )
                }
                steps.append(pre)
            }
            guard migration.post != nil, !record.contains(post) else { continue }
            if parts.contains(.post) { steps.append(post) } else { waiting = migration }
        }
        return steps
    }

    // MARK: Down

    /// Takes the versions above `target` back, the newest first, and returns them. What only their tables held is lost.
    package func revert(to target: Int, logger: Logger) async throws -> [MigrationStep] {
        try self.validate(target: target == 0 ? nil : target)
        let record = try await self.client.withConnection(MigrationRecord.init)
        try self.check(record)
        var steps: [MigrationStep] = []
        for migration in self.migrations.reversed() where migration.version > target && record[migration.version] != nil {
            guard migration.down != nil else {
                throw MigrationError(
                    .noDownPart,
                    "Migration \(migration.version) (\(migration.name)) has no down part: restore a backup made before it was applied."
                )
            }
            steps.append(MigrationStep(migration: migration, part: .down))
        }
        return try await self.run(steps, logger: logger)
    }

    // MARK: Refusals

    func validate(target: Int?) throws(MigrationError) {
        for (one, next) in zip(self.migrations, self.migrations.dropFirst()) where one.version == next.version {
            throw MigrationError(
                .duplicate,
                "Migrations \(one.name) and \(next.name) have the same number \(one.version): renumber one."
            )
        }
        for migration in self.migrations { try migration.validate() }
        guard let target, !self.migrations.contains(where: { $0.version == target }) else { return }
        let known = self.migrations.map { "\($0.version) (\($0.name))" }.joined(separator: ", ")
        throw MigrationError(
            .invalidTarget,
            "There is no migration \(target): this binary knows \(known.isEmpty ? "none" : known)."
        )
    }

    func check(_ record: MigrationRecord) throws(MigrationError) {
        for row in record.rows {
            guard let migration = self.migrations.first(where: { $0.version == row.version }) else {
                throw MigrationError(
                    .newerDatabase,
                    """
                    The database has migration \(row.version) (\(row.name)), which this binary does not know: \
                    run a binary at least as new as the one that applied it.
                    """
                )
            }
            if let part = record.editedPart(of: migration) {
                throw MigrationError(
                    .edited,
                    """
                    \(MigrationStep(migration: migration, part: part)) has been edited since it was applied: \
                    restore its text and put the change into a new migration.
                    """
                )
            }
        }
        if let last = record.rows.last?.version,
            let skipped = self.migrations.first(where: { $0.version < last && record[$0.version] == nil })
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
}
