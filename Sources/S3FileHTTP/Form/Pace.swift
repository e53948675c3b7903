import NIOCore
import S3File
import Synchronization

/// Watches how fast a body comes, so that a sender who says a byte a minute holds nothing up. The time that is spent on what came does not
/// count.
final class Pace: Sendable {
    struct TooSlow: Error {}

    private struct State {
        var bytes = 0
        var waited = Duration.zero
        var waitingSince: ContinuousClock.Instant?
    }

    private let limits: FormBody.Limits
    private let state = Mutex(State())

    init(limits: FormBody.Limits) {
        self.limits = limits
    }

    /// Runs `read`, and cancels it when the body that it reads does not keep pace.
    static func watching<R: Sendable>(
        _ limits: FormBody.Limits,
        _ read: @escaping @Sendable (Pace) async throws -> R
    ) async throws -> R {
        let pace = Pace(limits: limits)
        return try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask { try await read(pace) }
            group.addTask {
                while let time = pace.untilTooSlow(now: .now) { try await Task.sleep(for: time) }
                throw TooSlow()
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }

    func beginsToWait(now: ContinuousClock.Instant = .now) {
        self.state.withLock { $0.waitingSince = now }
    }

    func received(_ bytes: Int, now: ContinuousClock.Instant = .now) {
        self.state.withLock { state in
            if let since = state.waitingSince { state.waited += now - since }
            state.waitingSince = nil
            state.bytes += bytes
        }
    }

    /// For how long it can not be too slow yet; nil when it is.
    func untilTooSlow(now: ContinuousClock.Instant) -> Duration? {
        self.state.withLock { state in
            let waiting = state.waitingSince.map { now - $0 } ?? .zero
            let allowed = self.limits.silence + .seconds(Double(state.bytes) / Double(max(1, self.limits.bytesPerSecond)))
            let left = min(self.limits.silence - waiting, allowed - state.waited - waiting)
            return left > .zero ? max(left, .milliseconds(1)) : nil
        }
    }
}

/// A body, as it is watched.
struct PacedBody<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable where Base.Element == ByteBuffer {
    typealias Element = ByteBuffer

    let base: Base
    let pace: Pace

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.base.makeAsyncIterator(), pace: self.pace)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let pace: Pace

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
            self.pace.beginsToWait()
            let buffer = try await self.base.next(isolation: actor)
            self.pace.received(buffer?.readableBytes ?? 0)
            return buffer
        }

        mutating func next() async throws -> ByteBuffer? {
            try await self.next(isolation: #isolation)
        }
    }
}
