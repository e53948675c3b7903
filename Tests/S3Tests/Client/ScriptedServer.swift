import Foundation
import NIOCore
import NIOPosix
import NIOConcurrencyHelpers

/// A TCP server on loopback that gives prepared bytes for answers: what no real store can be made to do on demand.
struct ScriptedServer: Sendable {
    enum Answer: Sendable {
        /// The bytes, as they are; the connection stays open.
        case send(String)
        /// The bytes, then the end of the connection.
        case sendAndClose(String)
        /// The pieces, one after the other; the connection stays open.
        case drip([String], every: TimeAmount)
        /// Nothing, for ever.
        case silence

        static func status(_ status: String, headers: [String] = [], _ body: String = "") -> Answer {
            .send(
                (["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers).joined(separator: "\r\n") + "\r\n\r\n"
                    + body
            )
        }
    }

    final class Script: Sendable {
        private let state: NIOLockedValueBox<(answers: [Answer], requests: [String])>

        init(_ answers: [Answer]) {
            self.state = NIOLockedValueBox((answers, []))
        }

        /// Requests as received, head and body, in order.
        var requests: [String] { self.state.withLockedValue { $0.requests } }

        /// The last answer is given again and again.
        func next(_ request: String) -> Answer {
            self.state.withLockedValue { state in
                state.requests.append(request)
                return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
            }
        }
    }

    let endpoint: String
    private let script: Script

    var requests: [String] { self.script.requests }

    static func with<R: Sendable>(_ answers: [Answer], _ body: (ScriptedServer) async throws -> R) async throws -> R {
        let script = Script(answers)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(script)) }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        let server = ScriptedServer(endpoint: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)", script: script)
        let result: Result<R, any Error>
        do {
            result = .success(try await body(server))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let script: Script
        private var received = ""

        init(_ script: Script) {
            self.script = script
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += String(buffer: self.unwrapInboundIn(data))
            guard let end = self.received.range(of: "\r\n\r\n") else { return }
            let head = self.received[..<end.lowerBound].lowercased()
            let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                .flatMap { Int($0.split(separator: ":")[1].drop { $0 == " " }) }
            guard self.received[end.upperBound...].utf8.count >= length ?? 0 else { return }
            let answer = self.script.next(self.received)
            self.received = ""
            switch answer {
            case .send(let bytes):
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
            case .sendAndClose(let bytes):
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
                context.close(promise: nil)
            case .drip(let pieces, let pause):
                for (index, piece) in pieces.enumerated() {
                    context.eventLoop.assumeIsolated().scheduleTask(in: pause * index) {
                        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: piece)), promise: nil)
                    }
                }
            case .silence:
                break
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
