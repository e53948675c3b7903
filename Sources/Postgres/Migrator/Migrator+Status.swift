#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// One migration, as the binary and the database know it.
package struct MigrationStatus: Sendable, Hashable {
    package enum State: Sendable, Hashable {
        case pending
        /// Not applied, though a later one has been.
        case outOfOrder
        /// Applied but for the post part, which waits until older code is gone.
        case postPending(at: Date)
        case applied(at: Date)
        /// Applied, but with another text than the binary has.
        case edited(Migration.Part, at: Date)
        /// Applied by another binary; this one does not know it, and may only work with the database unless it is breaking.
        case unknown(isBreaking: Bool, at: Date)
    }

    package var version: Int
    package var name: String
    package var state: State
    /// Whether this binary could take it back.
    package var hasDownPart: Bool
}

extension Migrator {
    /// What the binary and the database know, in order of version. Changes nothing.
    package func status() async throws -> [MigrationStatus] {
        try self.validate(target: nil)
        let record = try await self.client.withConnection(MigrationRecord.init)
        let known = self.migrations.map { migration in
            MigrationStatus(
                version: migration.version,
                name: migration.name,
                state: Self.state(of: migration, in: record),
                hasDownPart: migration.down != nil
            )
        }
        let versions = Set(known.map(\.version))
        let unknown = record.rows.filter { !versions.contains($0.version) }.map { row in
            MigrationStatus(
                version: row.version,
                name: row.name,
                state: .unknown(isBreaking: row.isBreaking, at: row.appliedAt),
                hasDownPart: false
            )
        }
        return (known + unknown).sorted { $0.version < $1.version }
    }

    private static func state(of migration: Migration, in record: MigrationRecord) -> MigrationStatus.State {
        guard let row = record[migration.version] else {
            let last = record.rows.last?.version ?? .min
            return last > migration.version ? .outOfOrder : .pending
        }
        if let part = record.editedPart(of: migration) { return .edited(part, at: row.appliedAt) }
        if migration.post != nil, row.postChecksum == nil { return .postPending(at: row.appliedAt) }
        return .applied(at: row.appliedAt)
    }

    /// Throws unless code of this binary can work with the database; one look at the record. Changes nothing.
    ///
    /// The database may be ahead, as it is while a new release is rolled out, up to the point where that breaks older code.
    package func checkRange() async throws {
        let record = try await self.client.withConnection(MigrationRecord.init)
        let known = Set(self.migrations.map(\.version))
        if let breaking = record.rows.last(where: { $0.isBreaking && !known.contains($0.version) }) {
            throw MigrationError(
                .newerDatabase,
                """
                The tables are at version \(breaking.version) (\(breaking.name)), and this binary knows \
                \(self.migrations.last?.version ?? 0) at most: update this binary.
                """
            )
        }
        guard let missing = self.migrations.first(where: { record[$0.version] == nil }) else { return }
        let at = record.rows.last.map { "The tables are at version \($0.version)" } ?? "The database has no record of our tables"
        throw MigrationError(
            .olderDatabase,
            "\(at), and this binary needs \(self.migrations.last?.version ?? missing.version): run s3file migrate."
        )
    }
}
