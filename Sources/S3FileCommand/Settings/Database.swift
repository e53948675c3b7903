import Logging
import Postgres
import S3File

/// Postgres alone, for the length of one command.
enum Database {
    static func with<R: Sendable>(_ url: String, logger: Logger, _ body: (PostgresClient) async throws -> R) async throws -> R {
        let client = PostgresClient(configuration: PostgresConfiguration(url: url), logger: logger)
        return try await client.whileRunning { try await body(client) }
    }
}

extension SettingsOptions {
    /// The uploads in Postgres, for commands that need nothing else.
    ///
    /// - Throws: `SchemaError` when the tables are not those that this version works with: before anything was done.
    func withQueue<R: Sendable>(_ body: (UploadQueue) async throws -> R) async throws -> R {
        try await Database.with(try await self.requiredDatabaseURL(), logger: self.quietLogger) { client in
            let queue = UploadQueue(client: client)
            try await queue.checkSchema()
            return try await body(queue)
        }
    }
}
