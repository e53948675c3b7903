import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A TCP proxy in front of a server, to see what a program does when the network between the two fails.
///
/// Faults may be changed at any time and act at once, on connections that are open, too.
package final class FaultProxy: Sendable {
    package enum Fault: Sendable, Hashable {
        /// Everything is passed on.
        case none
        /// Connections are accepted, and nothing is passed on either way. When it ends what was held goes on, as on a network that heals.
        case blackHole
        /// Every piece is passed on this much later, either way.
        case delay(Duration)
        /// Requests get through; instead of the reply comes a reset.
        case dropReplies
        /// New connections are reset; open ones go on.
        case refuse
    }

    private struct Connection {
        var channels: [any Channel]
        var isStalled = false
        var losesReply = false
        /// The end of what was sent so far, as a text that is looked for may come in two pieces.
        var tail: [UInt8] = []
    }

    private struct State {
        var fault = Fault.none
        var lostReplies: (text: [UInt8], times: Int)?
        var connections: [Int: Connection] = [:]
        var accepted = 0
        var counts = Counts()
        var server: HostAndPort
    }

    /// What has really happened to somebody.
    package struct Counts: Sendable {
        /// Connections that were open when they were cut, or stalled.
        package var cut = 0
        package var stalled = 0
        package var lostReplies = 0
        /// Pieces that did not go on at once.
        package var held = 0
    }

    /// The server's URL by way of the proxy.
    package let url: String
    private let port: Int
    private let state: NIOLockedValueBox<State>

    fileprivate init(url: String, port: Int, server: HostAndPort) {
        self.url = url
        self.port = port
        self.state = NIOLockedValueBox(State(server: server))
    }

    /// New connections go to the server of `url` from now on, as when an address moves to another host; open ones stay where they are.
    package func lead(to url: String) throws {
        guard let place = HostAndPort(url) else { throw FaultProxyError() }
        self.state.withLockedValue { $0.server = place }
    }

    // MARK: Faults

    package var fault: Fault {
        get { self.state.withLockedValue { $0.fault } }
        set { self.state.withLockedValue { $0.fault = newValue } }
    }

    package var counts: Counts { self.state.withLockedValue { $0.counts } }

    /// How many connections were accepted so far.
    package var accepted: Int { self.state.withLockedValue { $0.accepted } }

    /// How many connections are open.
    package var open: Int { self.state.withLockedValue { $0.connections.count } }

    /// How many connections the clients' kernel holds for established: a socket that was closed here lives on in a process that is just being
    /// started, which has a copy of it until it runs its own program, and the peer hears of the end only then.
    package func established() throws -> Int {
        try TCPSocket.all().count { $0.remotePort == self.port && $0.state == .established }
    }

    /// Resets every connection that is open now; new ones go as ever.
    package func cut() {
        let connections = self.state.withLockedValue { state in
            state.counts.cut += state.connections.count
            return Array(state.connections.values)
        }
        for connection in connections { Self.reset(connection.channels) }
    }

    /// No fault any more. Connections that had vanished are reset, as when a peer comes back that knows nothing of them.
    package func heal() {
        let stalled = self.state.withLockedValue { state in
            state.fault = .none
            state.lostReplies = nil
            return state.connections.values.filter(\.isStalled)
        }
        for connection in stalled { Self.reset(connection.channels) }
    }

    /// Connections that are open now pass nothing on any more, for good, and without a word: a peer that vanished. New ones go as ever.
    package func stall() {
        self.state.withLockedValue { state in
            state.counts.stalled += state.connections.values.count { !$0.isStalled }
            for number in state.connections.keys { state.connections[number]?.isStalled = true }
        }
    }

    /// Passes the next requests that contain `text` on, and resets their connections instead of passing on the replies: the sender cannot
    /// know what became of them.
    package func loseReplies(toRequestsContaining text: String, times: Int = 1) {
        self.state.withLockedValue { $0.lostReplies = (Array(text.utf8), times) }
    }

    /// Reset, not closed: what the kernel still holds is thrown away.
    private static func reset(_ channels: [any Channel]) {
        for channel in channels {
            guard let socket = channel as? any SocketOptionProvider else { continue }
            socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    // MARK: Passing on

    fileprivate func serve(_ client: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        let number: Int? = self.state.withLockedValue { state in
            state.accepted += 1
            guard state.fault != .refuse else { return nil }
            state.connections[state.accepted] = Connection(channels: [client.channel])
            return state.accepted
        }
        defer { if let number { self.state.withLockedValue { _ = $0.connections.removeValue(forKey: number) } } }
        // However a connection ends, the next is served.
        try? await client.executeThenClose { requests, _ in
            guard let number else { return Self.reset([client.channel]) }
            let upstream: NIOAsyncChannel<ByteBuffer, ByteBuffer>
            do {
                let server = self.state.withLockedValue { $0.server }
                upstream = try await ClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
                    .connect(host: server.host, port: server.port) { channel in
                        channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
                    }
            } catch {
                return Self.reset([client.channel])
            }
            self.state.withLockedValue { $0.connections[number]?.channels.append(upstream.channel) }
            try await upstream.executeThenClose { replies, _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.passRequests(requests, to: upstream.channel, connection: number) }
                    group.addTask { try await self.passReplies(replies, to: client.channel, connection: number) }
                    defer { group.cancelAll() }
                    try await group.next()
                }
            }
        }
    }

    private func passRequests(
        _ requests: NIOAsyncChannelInboundStream<ByteBuffer>,
        to server: any Channel,
        connection: Int
    ) async throws {
        for try await bytes in requests {
            self.look(at: bytes, connection: connection)
            try await self.hold(connection)
            try await server.writeAndFlush(bytes).get()
        }
    }

    private func passReplies(
        _ replies: NIOAsyncChannelInboundStream<ByteBuffer>,
        to client: any Channel,
        connection: Int
    ) async throws {
        for try await bytes in replies {
            try await self.hold(connection)
            let lost: [any Channel]? = self.state.withLockedValue { state in
                guard let it = state.connections[connection], it.losesReply || state.fault == .dropReplies else { return nil }
                state.counts.lostReplies += 1
                return it.channels
            }
            if let lost { return Self.reset(lost) }
            try await client.writeAndFlush(bytes).get()
        }
    }

    /// Waits as long as nothing may pass.
    private func hold(_ connection: Int) async throws {
        if case .delay(let delay) = self.fault { try await Task.sleep(for: delay) }
        var isHeld = false
        while self.state.withLockedValue({ $0.fault == .blackHole || $0.connections[connection]?.isStalled == true }) {
            if !isHeld { self.state.withLockedValue { $0.counts.held += 1 } }
            isHeld = true
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Notes whether this is a request whose reply is to be lost.
    private func look(at bytes: ByteBuffer, connection number: Int) {
        self.state.withLockedValue { state in
            guard let (text, times) = state.lostReplies, var connection = state.connections[number] else { return }
            let sent = connection.tail + bytes.readableBytesView
            connection.tail = sent.suffix(text.count - 1)
            if sent.firstRange(of: text) != nil {
                connection.losesReply = true
                state.lostReplies = times > 1 ? (text, times - 1) : nil
            }
            state.connections[number] = connection
        }
    }
}

package struct FaultProxyError: Error {}

/// Runs a proxy to the server of `url`, which must name a host and a port, beside `body`.
package func withFaultProxy<R: Sendable>(to url: String, _ body: (FaultProxy) async throws -> R) async throws -> R {
    guard let place = HostAndPort(url) else { throw FaultProxyError() }
    let server = try await ServerBootstrap(group: NIOSingletons.posixEventLoopGroup)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(host: "127.0.0.1", port: 0) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    guard let port = server.channel.localAddress?.port else { throw FaultProxyError() }
    let proxy = FaultProxy(url: url.replacing(place.description, with: "127.0.0.1:\(port)"), port: port, server: place)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            try await server.executeThenClose { clients in
                try await withThrowingDiscardingTaskGroup { connections in
                    for try await client in clients { connections.addTask { await proxy.serve(client) } }
                }
            }
        }
        defer { group.cancelAll() }
        return try await body(proxy)
    }
}
