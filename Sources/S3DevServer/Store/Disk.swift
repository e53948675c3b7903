import NIOPosix

/// The store on threads of its own. There are more of them than cores: most of their time they wait for the disk, and those that
/// wait together go to it together.
struct Disk: Sendable {
    static let threads = 16

    let store: Store
    let pool: NIOThreadPool

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
