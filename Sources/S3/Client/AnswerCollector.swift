import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// Collects one answer on the connection's event loop, bounded in size and in the time of each phase.
///
/// No task waits for a timer, and none is woken before the answer is whole: for requests as small as S3's that is a good part of
/// what they cost.
final class AnswerCollector: HTTPClientResponseDelegate {
    typealias Response = S3Response

    struct Limits: Sendable {
        /// From the request's end to the answer's head.
        var firstByte: Duration
        /// Between two pieces of the answer.
        var idle: Duration
        /// From the first byte sent to the last received.
        var whole: Duration
        /// Of the body of an answer that is success.
        var success: Int
        /// Of the body of any other.
        var failure: Int
    }

    struct AnswerTooLarge: Error {
        var limit: Int
    }

    private enum Phase {
        case sending, waiting, receiving
    }

    private struct State {
        var phase = Phase.sending
        var began = NIODeadline.distantPast
        /// When the phase began, or the last piece came.
        var progress = NIODeadline.distantPast
        var timer: (due: NIODeadline, scheduled: Scheduled<Void>)?
        var isDone = false
        var head: HTTPResponseHead?
        var body = ByteBuffer()
    }

    private let limits: Limits
    private let isHead: Bool
    private let state = NIOLockedValueBox(State())

    init(limits: Limits, isHead: Bool) {
        self.limits = limits
        self.isHead = isHead
    }

    /// What came of the answer before it broke off, once there is a head.
    var partial: S3Response? {
        self.state.withLockedValue { state in
            state.head.map { S3Response(status: Int($0.status.code), headers: $0.headers, body: state.body) }
        }
    }

    // MARK: What the HTTP client tells, on the event loop of the task

    func didSendRequestHead(task: HTTPClient.Task<S3Response>, _ head: HTTPRequestHead) {
        self.state.withLockedValue { $0.began = .now() }
        // A request without a body is sent by now, and that is told at once.
        guard head.headers.contains(name: "content-length") || head.headers.contains(name: "transfer-encoding") else { return }
        self.watch(task)
    }

    func didSendRequest(task: HTTPClient.Task<S3Response>) {
        self.enter(.waiting, task)
    }

    func didReceiveHead(task: HTTPClient.Task<S3Response>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        self.state.withLockedValue { $0.head = head }
        let length = self.isHead ? 0 : head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if length > self.limit(head.status) {
            return task.eventLoop.makeFailedFuture(AnswerTooLarge(limit: self.limit(head.status)))
        }
        self.enter(.receiving, task)
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<S3Response>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        var part = part
        let tooLarge: AnswerTooLarge? = self.state.withLockedValue { state in
            state.progress = .now()
            let limit = self.limit(state.head?.status ?? .ok)
            guard state.body.readableBytes + part.readableBytes <= limit else { return AnswerTooLarge(limit: limit) }
            if state.body.readableBytes == 0 { state.body = part } else { state.body.writeBuffer(&part) }
            return nil
        }
        return tooLarge.map { task.eventLoop.makeFailedFuture($0) } ?? task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveError(task: HTTPClient.Task<S3Response>, _ error: any Error) {
        self.stopWatching()
    }

    func didFinishRequest(task: HTTPClient.Task<S3Response>) throws -> S3Response {
        self.stopWatching()
        guard let answer = self.partial else { throw HTTPClientError.remoteConnectionClosed }
        return answer
    }

    // MARK: Time

    private func limit(_ status: HTTPResponseStatus) -> Int {
        (200..<300).contains(status.code) ? self.limits.success : self.limits.failure
    }

    private func enter(_ phase: Phase, _ task: HTTPClient.Task<S3Response>) {
        self.state.withLockedValue { state in
            // The head may come before the request's body has been sent.
            guard phase == .receiving || state.phase == .sending else { return }
            state.phase = phase
            state.progress = .now()
        }
        self.watch(task)
    }

    private func due(_ state: State) -> (at: NIODeadline, timeout: AttemptTimeout) {
        let whole = (state.began + TimeAmount(self.limits.whole), AttemptTimeout(phase: .whole, limit: self.limits.whole))
        let phase: (NIODeadline, AttemptTimeout)
        switch state.phase {
        case .sending: return whole
        case .waiting:
            phase = (
                state.progress + TimeAmount(self.limits.firstByte),
                AttemptTimeout(phase: .firstByte, limit: self.limits.firstByte)
            )
        case .receiving:
            phase = (state.progress + TimeAmount(self.limits.idle), AttemptTimeout(phase: .idle, limit: self.limits.idle))
        }
        return phase.0 < whole.0 ? phase : whole
    }

    /// Sees to it that a timer runs no later than the next thing is due. One that runs earlier looks and goes on.
    private func watch(_ task: HTTPClient.Task<S3Response>) {
        self.state.withLockedValue { state in
            guard !state.isDone else { return }
            let due = self.due(state).at
            if let timer = state.timer {
                guard due < timer.due else { return }
                timer.scheduled.cancel()
            }
            state.timer = (due, task.eventLoop.scheduleTask(deadline: due) { self.look(task) })
        }
    }

    private func look(_ task: HTTPClient.Task<S3Response>) {
        let timeout: AttemptTimeout? = self.state.withLockedValue { state in
            guard !state.isDone else { return nil }
            state.timer = nil
            let (at, timeout) = self.due(state)
            return at <= .now() ? timeout : nil
        }
        if let timeout { task.fail(reason: timeout) } else { self.watch(task) }
    }

    private func stopWatching() {
        let timer = self.state.withLockedValue { state in
            state.isDone = true
            defer { state.timer = nil }
            return state.timer
        }
        timer?.scheduled.cancel()
    }
}
