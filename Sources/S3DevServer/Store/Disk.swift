import NIOPosix

/// The store on the thread pool.
struct Disk: Sendable {
    let store: Store
    let pool = NIOThreadPool.singleton

    func run<Result: Sendable>(_ body: @escaping @Sendable (Store) throws -> Result) async throws -> Result {
        let store = self.store
        return try await self.pool.runIfActive { try body(store) }
    }

    /// Runs `body`, and removes the writer's file when it fails.
    func discarding<Result>(_ writer: ObjectWriter, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            try? await self.run { _ in writer.discard() }
            throw error
        }
    }
}
