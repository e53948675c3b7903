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

    /// Half of the threads are left to others.
    private static let folderThreads = threads / 2

    /// Makes the names in folders durable. Some at a time, since the disk takes no longer for those that wait together: one after the other, a
    /// thousand deletions, which touch nearly every folder of a bucket, would wait for it hundreds of times.
    func synchronize(_ folders: Set<String>) async throws {
        let folders = Array(folders)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 0..<min(Self.folderThreads, folders.count) {
                group.addTask {
                    try await self.run { store in
                        for index in stride(from: first, to: folders.count, by: Self.folderThreads) {
                            try store.synchronizeDirectory(folders[index])
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
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
