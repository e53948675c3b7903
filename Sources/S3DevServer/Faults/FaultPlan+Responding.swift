import Hummingbird
import NIOCore
import S3
import ServiceLifecycle

extension FaultPlan {
    private static let standardStall = Duration.seconds(300)

    /// An answer in place of anything being done.
    func refusal(of request: Faults.Operation) -> S3Error? {
        switch self.fault?.kind {
        case .slowDown: S3Error(.slowDown, status: 503, message: "Please reduce your request rate.")
        case .unavailable:
            S3Error(.serviceUnavailable, status: 503, message: "Service is unable to handle request.")
        case .internalError, .errorIn200, .loseRequest:
            S3Error(.internalError, status: 500, message: "We encountered an internal error. Please try again.")
        case .conflict where request.isConditional:
            S3Error(
                .conditionalRequestConflict,
                status: 409,
                message: "The conditional request cannot succeed due to a conflicting operation against this resource."
            )
        case .conflict:
            S3Error(
                .operationAborted,
                status: 409,
                message: "A conflicting conditional operation is currently in progress against this resource. Please try again."
            )
        case .preconditionFailed:
            S3Error(
                .preconditionFailed,
                status: 412,
                message: "At least one of the pre-conditions you specified did not hold"
            )
        default: nil
        }
    }

    /// The answer, as it fares on its way.
    func spoil(_ response: Response) -> Response {
        var response = response
        let length = response.body.contentLength ?? 0
        switch self.fault?.kind {
        case .errorIn200: response.status = .ok
        case .truncate: response.body = response.body.ending(after: length / 2) { throw ReplyCut() }
        case .stall:
            let duration = self.fault?.duration ?? Self.standardStall
            response.body = response.body.ending(after: length / 2) {
                // A server that is to stop does not wait for this.
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
                throw ReplyCut()
            }
        default: break
        }
        return response
    }

    /// Whether there is no answer at all. What has no body cannot be cut in its middle.
    func losesReply(_ response: Response) -> Bool {
        switch self.fault?.kind {
        case .loseReply: true
        case .truncate: response.body.contentLength == 0
        default: false
        }
    }
}

/// Ends the connection in the middle of an answer.
struct ReplyCut: Error {}

extension ResponseBody {
    /// The body up to `limit`, and then whatever `end` does, which throws.
    fileprivate func ending(after limit: Int, _ end: @escaping @Sendable () async throws -> Void) -> ResponseBody {
        let body = self
        return ResponseBody(contentLength: self.contentLength) { writer in
            try await body.write(EndingWriter(parent: writer, left: limit, end: end))
        }
    }
}

private struct EndingWriter: ResponseBodyWriter {
    var parent: any ResponseBodyWriter
    var left: Int
    let end: @Sendable () async throws -> Void

    // Hummingbird's own writers are off any actor, and this one is where they are.
    @concurrent
    mutating func write(_ buffer: ByteBuffer) async throws {
        let piece = buffer.getSlice(at: buffer.readerIndex, length: min(self.left, buffer.readableBytes)) ?? buffer
        self.left -= piece.readableBytes
        try await self.parent.write(piece)
        if self.left == 0 {
            try await self.end()
        }
    }

    @concurrent
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try await self.end()
        try await self.parent.finish(trailingHeaders)
    }
}
