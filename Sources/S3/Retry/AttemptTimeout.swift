/// One attempt took too long, in all or in one of its phases.
struct AttemptTimeout: Error, Hashable {
    enum Phase: Hashable {
        /// From the request's end to the answer's head.
        case firstByte
        /// Between two pieces of the answer.
        case idle
        /// From the beginning to the end.
        case whole
    }

    var phase: Phase
    var limit: Duration

    func sentence(endpoint: String) -> String {
        switch self.phase {
        case .firstByte: "\(endpoint) took the request and did not begin to answer within \(self.limit)"
        case .idle: "the answer of \(endpoint) stopped: nothing came for \(self.limit)"
        case .whole: "the answer of \(endpoint) was not complete within \(self.limit)"
        }
    }
}

extension S3Client {
    /// What comes next of an answer.
    ///
    /// - Throws: ``AttemptTimeout`` when it lets wait too long.
    func withinIdleTime<R: Sendable>(_ next: @escaping @Sendable () async throws -> R) async throws -> R {
        let idle = self.timeouts.idle
        do {
            return try await withDeadline(idle, next)
        } catch is DeadlineExceeded {
            throw AttemptTimeout(phase: .idle, limit: idle)
        }
    }
}
