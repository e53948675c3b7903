import Migrations
import Postgres
import Testing

extension Migrator {
    /// On the record that all databases have.
    init(_ client: PostgresClient, _ migrations: [Migration], lockTimeout: Duration = Self.defaultLockTimeout) {
        self.init(client: client, record: Migrations.record, migrations: migrations, lockTimeout: lockTimeout)
    }
}

extension Migration {
    func step(_ part: Part) -> MigrationStep { MigrationStep(migration: self, part: part) }
}

/// Expects a ``MigrationError`` with this code, whose sentence has these words.
func expectRefusal(
    _ code: MigrationError.Code,
    _ words: [String],
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async {
    let error = await #expect(throws: MigrationError.self, sourceLocation: sourceLocation) { try await body() }
    #expect(error?.code == code, sourceLocation: sourceLocation)
    for word in words {
        #expect(
            error?.description.contains(word) == true,
            "\(word) in \(String(describing: error))",
            sourceLocation: sourceLocation
        )
    }
}
