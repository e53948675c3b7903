#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Files {
    /// Appends a piece of one file to another: where the system can, without the bytes coming through this process.
    static func append(_ length: Int, of source: Int32, at offset: Int64, to descriptor: Int32) throws(FileError) {
        #if os(Linux)
            var position = off_t(offset)
            var rest = length
            while rest > 0 {
                let sent = sendfile(descriptor, source, &position, rest)
                if sent < 0 {
                    guard errno == EINTR else {
                        throw FileError(call: "sendfile", errno: errno)
                    }
                    continue
                }
                guard sent > 0 else {
                    throw FileError(call: "sendfile", errno: EIO)
                }
                rest -= sent
            }
        #else
            let step = 1 << 20
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(step, max(1, length)), alignment: 16)
            defer { buffer.deallocate() }
            var done = 0
            while done < length {
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(length - done))
                let count = try self.read(source, at: offset + Int64(done), into: piece)
                guard count > 0 else {
                    throw FileError(call: "read", errno: EIO)
                }
                try self.writeAll(UnsafeRawBufferPointer(rebasing: piece.prefix(count)), to: descriptor)
                done += count
            }
        #endif
    }
}
