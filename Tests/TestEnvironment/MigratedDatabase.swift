package import Logging
package import Postgres
import S3File

/// A test database with our tables.
@discardableResult
package func withMigratedDatabase<R: Sendable>(_ body: (PostgresClient, String) async throws -> R) async throws -> R {
    try await withTestDatabase { client, url in
        _ = try await Migrator.uploads(client).apply(logger: .quiet)
        return try await body(client, url)
    }
}

extension Logger {
    /// For what a test runs and nobody reads.
    package static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}
