package import ServiceLifecycle

extension Service {
    /// Runs the service beside `body`, for a piece of work that is no service itself, such as a command; ends it when `body` returns or throws.
    package func whileRunning<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.run() }
            let result: Result<R, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            group.cancelAll()
            // What ending it says is of no interest by now.
            while !group.isEmpty { _ = try? await group.next() }
            return try result.get()
        }
    }
}
