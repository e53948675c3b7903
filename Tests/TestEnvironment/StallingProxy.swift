import NIOCore
import NIOPosix
import Synchronization

/// Host and port of a database URL, as they stand in it.
package struct HostAndPort: CustomStringConvertible, Sendable {
    package var host: String
    package var port: Int

    package init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        guard let colon = place.lastIndex(of: ":"), let port = Int(place[place.index(after: colon)...]) else { return nil }
        self.host = String(place[..<colon])
        self.port = port
    }

    package var description: String { "\(self.host):\(self.port)" }
}

/// A TCP proxy in front of a server that can stop passing bytes on without closing anything: a peer that vanished.
package final class StallingProxy: Sendable {
    /// The server's URL by way of the proxy.
    package let url: String
    fileprivate let generation: Mutex<Int>

    fileprivate init(url: String, generation: consuming Mutex<Int>) {
        self.url = url
        self.generation = generation
    }

    /// Connections open now pass nothing on any more; new ones do.
    package func stall() {
        self.generation.withLock { $0 += 1 }
    }
}

package struct StallingProxyError: Error {}

package func withStallingProxy<R: Sendable>(to url: String, _ body: (StallingProxy) async throws -> R) async throws -> R {
    guard let place = HostAndPort(url) else { throw StallingProxyError() }
    let proxyBox = ProxyBox()
    let server = try await ServerBootstrap(group: NIOSingletons.posixEventLoopGroup)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelInitializer { inbound in
            inbound.eventLoop.makeCompletedFuture {
                let connected = ClientBootstrap(group: inbound.eventLoop).connect(host: place.host, port: place.port)
                try inbound.pipeline.syncOperations.addHandler(Relay(to: connected, proxy: proxyBox))
                connected.assumeIsolated().whenSuccess { outbound in
                    let back = Relay(to: inbound.eventLoop.makeSucceededFuture(inbound), proxy: proxyBox)
                    _ = outbound.pipeline.addHandler(back)
                }
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    guard let port = server.localAddress?.port else { throw StallingProxyError() }
    let proxy = StallingProxy(url: url.replacing(place.description, with: "127.0.0.1:\(port)"), generation: Mutex(0))
    proxyBox.proxy.withLock { $0 = proxy }
    let result: Result<R, any Error>
    do {
        result = .success(try await body(proxy))
    } catch {
        result = .failure(error)
    }
    try await server.close()
    return try result.get()
}

private final class ProxyBox: Sendable {
    let proxy = Mutex<StallingProxy?>(nil)
    var generation: Int { self.proxy.withLock { $0?.generation.withLock { $0 } } ?? 0 }
}

/// Passes on what it reads, unless its connection is older than the last stall.
private final class Relay: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let peer: EventLoopFuture<any Channel>
    private let proxy: ProxyBox
    private let generation: Int

    init(to peer: EventLoopFuture<any Channel>, proxy: ProxyBox) {
        self.peer = peer
        self.proxy = proxy
        self.generation = proxy.generation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.generation == self.proxy.generation else { return }
        let bytes = self.unwrapInboundIn(data)
        self.peer.whenSuccess { $0.writeAndFlush(bytes, promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.peer.whenSuccess { $0.close(promise: nil) }
    }
}
