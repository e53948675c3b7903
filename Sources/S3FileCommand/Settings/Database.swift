import Logging
import Postgres

/// Postgres alone, for the length of one command.
enum Database {
    static func with<R: Sendable>(_ url: String, logger: Logger, _ body: (PostgresClient) async throws -> R) async throws -> R {
        let client = PostgresClient(configuration: PostgresConfiguration(url: url), logger: logger)
        return try await client.whileRunning { try await body(client) }
    }
}
