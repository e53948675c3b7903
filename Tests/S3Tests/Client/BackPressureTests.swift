import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import S3
import TestEnvironment
import Testing

/// Objects are larger than memory: what nobody takes must stay where it is.
@Suite struct BackPressureTests {
    static let size = 64 << 20
    /// What the kernel keeps of a connection on loopback is below 16 MiB, with both sides' buffers.
    static let most = 32 << 20

    @Test(.timeLimit(.minutes(1))) func `a store sends no more of an object than is taken, and all of it to whoever takes it`()
        async throws
    {
        let sent = NIOLockedValueBox(0)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Source(sent)) }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        let endpoint = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
        try await TestStore.withClient(UnreliableStoreTests.configuration(endpoint)) { client, _ in
            let body = try await client.getObject(bucket: "bucket", key: "k")
            var pieces = body.makeAsyncIterator()
            var taken = try await pieces.next()?.readableBytes ?? 0
            // Until nothing moves any more.
            var before = -1
            while sent.withLockedValue({ $0 }) != before {
                before = sent.withLockedValue { $0 }
                try await Task.sleep(for: .milliseconds(500))
            }
            #expect(before > 0 && before < Self.most, "\(before) bytes were sent when \(taken) had been taken")
            while let piece = try await pieces.next() { taken += piece.readableBytes }
            #expect(taken == Self.size)
        }
        try await channel.close()
    }

    /// Answers with one object, and counts what the connection takes of it.
    private final class Source: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let sent: NIOLockedValueBox<Int>
        private let piece = ByteBuffer(repeating: 0x61, count: 64 << 10)
        private var left = 0

        init(_ sent: NIOLockedValueBox<Int>) {
            self.sent = sent
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard self.left == 0 else { return }
            self.left = BackPressureTests.size
            let head = "HTTP/1.1 200 OK\r\nContent-Length: \(self.left)\r\nETag: \"e\"\r\n\r\n"
            context.write(self.wrapOutboundOut(ByteBuffer(string: head)), promise: nil)
            self.send(context)
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            self.send(context)
        }

        private func send(_ context: ChannelHandlerContext) {
            while self.left > 0, context.channel.isWritable {
                self.left -= self.piece.readableBytes
                let promise = context.eventLoop.makePromise(of: Void.self)
                promise.futureResult.whenSuccess { [sent, count = self.piece.readableBytes] in
                    sent.withLockedValue { $0 += count }
                }
                context.writeAndFlush(self.wrapOutboundOut(self.piece), promise: promise)
            }
        }
    }
}
