import Logging
package import Postgres

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Why there is no database to test on.
package struct TestDatabaseError: Error, CustomStringConvertible {
    package var description: String
}

/// Creates a database of its own for one test, runs a client on it, and drops it after, whoever still uses it.
///
/// - Parameters:
///   - template: the database that it begins as a copy of.
///   - configure: changes the client's settings before it starts.
///   - body: is given the running client, and the database's URL for further ones.
package func withTestDatabase<R: Sendable>(
    copying template: String = "template0",
    configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresClient, String) async throws -> R
) async throws -> R {
    let server = try testServer()
    let name = "s3file_test_\(String(UInt64.random(in: .min ... .max), radix: 36))"
    try await administer(server, "create database \(name) template \(template) encoding 'UTF8'")
    let url = replaceDatabase(of: server, with: name)
    var configuration = PostgresConfiguration(url: url, applicationName: name)
    configure(&configuration)
    let client = PostgresClient(configuration: configuration, logger: .quiet)
    let result: Result<R, any Error>
    do {
        result = .success(try await client.whileRunning { try await body(client, url) })
    } catch {
        result = .failure(error)
    }
    // Also after a test was cancelled: a task of its own, which is awaited.
    try await Task { try await administer(server, "drop database \(name) with (force)") }.value
    return try result.get()
}

/// The URL of the server that all tests share.
func testServer() throws -> String {
    guard let server = ProcessInfo.processInfo.environment["TEST_DATABASE_URL"], !server.isEmpty else {
        throw TestDatabaseError(description: "There is no Postgres to test on: start bin/test, or set TEST_DATABASE_URL.")
    }
    return server
}

/// A connection to make and drop databases by. Patient: tests that only compute may have all threads for seconds.
func administrator(of server: String) async throws -> PostgresConnection {
    let connection = PostgresConnection(configuration: PostgresConfiguration(url: server, connectTimeout: .seconds(60)))
    try await connection.connect()
    return connection
}

private func administer(_ server: String, _ statement: String) async throws {
    let connection = try await administrator(of: server)
    try await connection.query(SQL(unescaped: statement))
    await connection.close()
}

/// The URL with another path, or the keywords with another `dbname`.
func replaceDatabase(of url: String, with name: String) -> String {
    guard let scheme = url.firstRange(of: "://") else { return url + " dbname=" + name }
    let end = url[scheme.upperBound...].firstIndex { $0 == "/" || $0 == "?" } ?? url.endIndex
    let query = url[end...].firstIndex(of: "?").map { url[$0...] } ?? ""
    return url[..<end] + "/" + name + query
}
