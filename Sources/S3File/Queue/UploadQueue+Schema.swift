package import Logging
import Postgres
import ServiceLifecycle

extension UploadQueue {
    /// What the server says when a table, column, function or schema is not there, or is another.
    private static let absences: Set<String> = ["42P01", "42703", "42883", "3F000"]

    /// One look at the record of migrations.
    ///
    /// - Throws: ``SchemaError`` when this version cannot work with the tables.
    package func checkSchema() async throws {
        do {
            try await Migrator.uploads(self.client).checkRange()
        } catch let error as MigrationError {
            throw SchemaError(error)
        }
    }

    /// The error itself, or that the tables were migrated under us, if that is why it came about: then the log names the remedy.
    package func cause(of error: any Error) async -> any Error {
        guard let state = (error as? PostgresError)?.sqlState, Self.absences.contains(state) else { return error }
        do {
            try await self.checkSchema()
        } catch let schema as SchemaError {
            return schema
        } catch {
            // The database is away by now, and the first error says more.
        }
        return error
    }
}

extension Connections {
    /// Asks once, when a process starts; waits for a database that does not answer yet.
    ///
    /// - Throws: ``SchemaError`` when this version cannot work with the tables, and what Postgres says when it refuses us, which waiting does
    ///   not mend.
    package func requireSchema(logger: Logger) async throws {
        var pause = Duration.milliseconds(200)
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                return try await self.queue.checkSchema()
            } catch let error as SchemaError {
                throw error
            } catch let error as PostgresError where error.isPermanentRefusal {
                throw error
            } catch {
                guard !Task.isCancelled, !Task.isShuttingDownGracefully else { return }
                logger.warning("The tables could not be looked at; trying again", metadata: ["error": "\(error)"])
                try? await cancelWhenGracefulShutdown { [pause] in try await Task.sleep(for: pause) }
                pause = min(pause * 2, .seconds(5))
            }
        }
    }
}
