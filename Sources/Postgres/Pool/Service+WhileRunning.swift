package import ServiceLifecycle

extension Service {
    /// Runs the service beside `body`, for a piece of work that is no service itself, such as a command; ends it when `body` returns or throws.
    package func whileRunning<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        // No child of this task: what is cancelled tidies up, and needs its connections until it has.
        let running = Task { try await self.run() }
        let result: Result<R, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        running.cancel()
        // What ending it says is of no interest by now.
        _ = await running.result
        return try result.get()
    }
}
