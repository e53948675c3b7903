/// The time that a move goes by.
struct MoveClock: Sendable {
    var now: @Sendable () -> ContinuousClock.Instant
    var sleep: @Sendable (Duration) async throws -> Void

    static let continuous = MoveClock(now: { .now }, sleep: { try await Task.sleep(for: $0) })
}
