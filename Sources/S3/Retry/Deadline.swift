package struct DeadlineExceeded: Error {
    var timeout: Duration
}

/// The body's result, or ``DeadlineExceeded`` and the body cancelled.
package func withDeadline<R: Sendable>(
    _ timeout: Duration,
    _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
    try await withThrowingTaskGroup(of: R.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: timeout)
            throw DeadlineExceeded(timeout: timeout)
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}
