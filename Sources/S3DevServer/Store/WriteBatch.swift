import NIOCore

/// Collects what arrives, so that one hop to the thread pool writes half a megabyte instead of one packet.
struct WriteBatch {
    private static let target = 512 * 1024

    private let writer: ObjectWriter
    private let disk: Disk
    private let maximum: Int64
    private var buffers: [ByteBuffer] = []
    private var pending = 0
    private(set) var size: Int64 = 0

    init(writer: ObjectWriter, disk: Disk, maximum: Int64) {
        self.writer = writer
        self.disk = disk
        self.maximum = maximum
    }

    mutating func append(_ buffer: ByteBuffer) async throws {
        self.size += Int64(buffer.readableBytes)
        guard self.size <= self.maximum else {
            throw Payload.tooLarge
        }
        self.buffers.append(buffer)
        self.pending += buffer.readableBytes
        if self.pending >= Self.target {
            try await self.flush()
        }
    }

    private mutating func flush() async throws {
        let (writer, buffers) = (self.writer, self.take())
        try await self.disk.run { _ in try writer.write(buffers) }
    }

    /// Writes what is left, and tells the digests of all of it.
    mutating func finish() async throws -> ObjectWriter.Digests {
        let (writer, buffers) = (self.writer, self.take())
        return try await self.disk.run { _ in
            try writer.write(buffers)
            return writer.digests()
        }
    }

    private mutating func take() -> [ByteBuffer] {
        self.pending = 0
        defer { self.buffers = [] }
        return self.buffers
    }
}
