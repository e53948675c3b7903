import Postgres

/// Why the record could not be read or changed, for a page that says so.
package struct RecordProblem: Error, Sendable {
    package enum Code: Sendable, Equatable {
        /// Postgres says that this process's role may not do it.
        case denied(role: String)
        /// It does not answer, or not in time.
        case unavailable
    }

    package var code: Code
    package var underlying: any Error
}

extension UploadQueue {
    /// Asks the record; what goes wrong is told apart by what can be done about it.
    package func asking<R: Sendable>(
        _ body: (UploadQueue) async throws -> R
    ) async throws(RecordProblem) -> R {
        do {
            return try await body(self)
        } catch let error as PostgresError where error.sqlState == "42501" {
            let role = try? await self.currentRole()
            throw RecordProblem(code: .denied(role: role ?? "its role"), underlying: error)
        } catch {
            throw RecordProblem(code: .unavailable, underlying: error)
        }
    }
}
