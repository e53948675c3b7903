/// An end to what takes too long.
enum TimeLimit {
    struct Exceeded: Error {}

    /// Cancels the work at the end of the time, and waits for it to see that.
    ///
    /// - Throws: ``Exceeded``, or what the work throws.
    static func within<R: Sendable>(_ time: Duration, _ work: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: time)
                throw Exceeded()
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}
