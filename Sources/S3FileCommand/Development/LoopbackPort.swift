import Foundation

/// A TCP port of this machine's own address, 127.0.0.1.
struct LoopbackPort: Sendable, Hashable, CustomStringConvertible {
    let number: Int

    var description: String { "\(self.number)" }

    /// The port asked for, refused when somebody listens there, or for 0 one that is free.
    init(claiming number: Int, option: String) throws {
        guard (0...65535).contains(number) else {
            throw DevelopmentError(code: .portInUse, message: "\(number) is no port: give \(option) a number from 1 to 65535.")
        }
        let bound = Self.withSocket { descriptor -> Int? in
            // As servers set it: connections that linger from the last run do not count as "in use".
            var reuse: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
            guard Self.withAddress(port: number, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 1) == 0 else {
                return nil
            }
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let named = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            return named == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
        }
        guard let bound else {
            throw DevelopmentError(
                code: .portInUse,
                message: errno == EACCES
                    ? "Port \(number) is reserved for root: give another one with \(option)."
                    : "Port \(number) is in use: stop what listens there, or give another one with \(option)."
            )
        }
        self.number = bound
    }

    /// Waits until somebody accepts connections here; ends early only by cancellation.
    func answers() async throws {
        while Self.withSocket({ descriptor in Self.withAddress(port: self.number) { connect(descriptor, $0, $1) } }) != 0 {
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private static func withSocket<R>(_ body: (Int32) -> R) -> R {
        #if canImport(Darwin)
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #endif
        defer {
            let reason = errno
            close(descriptor)
            errno = reason
        }
        return body(descriptor)
    }

    private static func withAddress(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
