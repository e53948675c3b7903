#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

/// A port that takes connections and never answers; with its backlog full, one that does not even answer to a connect, like a host behind a
/// firewall that drops packets.
final class SilentServer: Sendable {
    let port: UInt16
    private let sockets: [Int32]

    struct Failure: Error {}

    init(backlogFull: Bool = false) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var sockets = [listener]
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        func withAddress(_ body: (UnsafeMutablePointer<sockaddr>) -> Int32) -> Int32 {
            withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
            }
        }
        guard
            listener >= 0, withAddress({ bind(listener, $0, size) }) == 0, listen(listener, backlogFull ? 0 : 16) == 0,
            withAddress({ getsockname(listener, $0, &size) }) == 0
        else { throw Failure() }
        if backlogFull {
            // Nobody accepts: the queue holds one or two, and the kernel drops the rest.
            for _ in 0..<4 {
                let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                _ = fcntl(client, F_SETFL, O_NONBLOCK)
                _ = withAddress { connect(client, $0, size) }
                sockets.append(client)
            }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        self.sockets = sockets
    }

    deinit {
        for socket in self.sockets { close(socket) }
    }
}
