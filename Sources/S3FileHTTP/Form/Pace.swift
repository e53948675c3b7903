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
        /// What the above were when the form got a place among those that bring files.
        var atPlace: (bytes: Int, waited: Duration)?
    }

    private let limits: FormBody.Limits
    /// When a form that holds a place must be at its end, however fast it comes.
    private let end: ContinuousClock.Instant
    private let state = Mutex(State())

    /// - Parameter longest: how long a form that holds a place may take from `start` on, the time that is spent on it too.
    init(limits: FormBody.Limits, longest: Duration, start: ContinuousClock.Instant = .now) {
        self.limits = limits
        self.end = start + longest
    }

    /// Runs `read`, and cancels it when the body that it reads does not keep pace.
    static func watching<R: Sendable>(
        _ limits: FormBody.Limits,
        longest: Duration,
        _ read: @escaping @Sendable (Pace) async throws -> R
    ) async throws -> R {
        let pace = Pace(limits: limits, longest: longest)
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

    /// From now on others may wait for this form.
    func takesPlace() {
        self.state.withLock { $0.atPlace = ($0.bytes, $0.waited) }
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
            var left = min(
                self.limits.silence - waiting,
                self.allowed(state.bytes, self.limits.bytesPerSecond) - state.waited - waiting
            )
            if let place = state.atPlace {
                let allowed = self.allowed(state.bytes - place.bytes, self.limits.streamedBytesPerSecond)
                left = min(left, allowed - (state.waited - place.waited) - waiting, self.end - now)
            }
            return left > .zero ? max(left, .milliseconds(1)) : nil
        }
    }

    private func allowed(_ bytes: Int, _ bytesPerSecond: Int) -> Duration {
        self.limits.silence + .seconds(Double(bytes) / Double(max(1, bytesPerSecond)))
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
            var buffer: ByteBuffer?
            // Nor does the time count that is spent on an error.
            defer { self.pace.received(buffer?.readableBytes ?? 0) }
            buffer = try await self.base.next(isolation: actor)
            return buffer
        }

        mutating func next() async throws -> ByteBuffer? {
            try await self.next(isolation: #isolation)
        }
    }
}
