import Crypto
import Foundation
package import Logging
import Migrations
package import Postgres
import S3File

/// A test database with our tables.
@discardableResult
package func withMigratedDatabase<R: Sendable>(_ body: (PostgresClient, String) async throws -> R) async throws -> R {
    try await withTestDatabase(copying: try await migratedTemplate.value, body)
}

/// The name of a database that is migrated once, for all tests: copying it takes a fifth of the time. It has the digest of the migrations in it,
/// so that the next run on the same server finds it, and one of another version does not.
private let migratedTemplate = Task {
    let texts = [Migrations.record] + Migrations.all.flatMap { [$0.pre, $0.post ?? ""] }
    let digest = SHA256.hash(data: Data(texts.joined(separator: "\0").utf8)).prefix(8).map { String(format: "%02x", $0) }.joined()
    let name = "s3file_migrated_\(digest)"
    let server = try testServer()
    let connection = try await administrator(of: server)
    // Tests in processes of their own come here as well. The lock goes with the connection.
    try await connection.query("select pg_advisory_lock(hashtext(\(name)))")
    if try await connection.query("select from pg_database where datname = \(name)").isEmpty {
        let unfinished = name + "_unfinished"
        try await connection.query(SQL(unescaped: "drop database if exists \(unfinished) with (force)"))
        try await connection.query(SQL(unescaped: "create database \(unfinished) template template0 encoding 'UTF8'"))
        let configuration = PostgresConfiguration(url: replaceDatabase(of: server, with: unfinished))
        let client = PostgresClient(configuration: configuration, logger: .quiet)
        try await client.whileRunning { _ = try await Migrator.uploads(client).apply(logger: .quiet) }
        try await connection.query(SQL(unescaped: "alter database \(unfinished) rename to \(name)"))
    }
    await connection.close()
    return name
}

extension Logger {
    /// For what a test runs and nobody reads.
    package static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}
