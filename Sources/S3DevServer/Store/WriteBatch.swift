import NIOCore

/// Bytes on their way into a new file. They are collected, so that one hop to the disk's threads writes half a megabyte instead of
/// one packet; what is smaller than that takes one hop from its first byte to its place.
struct WriteBatch {
    static let target = 512 * 1024

    private let disk: Disk
    private let maximum: Int64
    private let hashesSHA256: Bool
    private let checksums: [Checksum.Algorithm]
    private var writer: ObjectWriter?
    private var buffers: [ByteBuffer] = []
    private var pending = 0
    private(set) var size: Int64 = 0

    init(disk: Disk, maximum: Int64, hashingSHA256: Bool = false, checksums: [Checksum.Algorithm]) {
        self.disk = disk
        self.maximum = maximum
        self.hashesSHA256 = hashingSHA256
        self.checksums = checksums
    }

    mutating func append(_ buffer: ByteBuffer) async throws {
        self.size += Int64(buffer.readableBytes)
        guard self.size <= self.maximum else {
            throw Payload.tooLarge
        }
        self.buffers.append(buffer)
        self.pending += buffer.readableBytes
        if self.pending >= Self.target {
            self.writer = try await self.write { _, writer in writer }
        }
    }

    /// Writes what is left, and hands out the file and the digests of all of it. What `body` does not give a place is removed.
    mutating func finish<Result: Sendable>(
        _ body: @escaping @Sendable (Store, ObjectWriter, ObjectWriter.Digests) throws -> Result
    ) async throws -> Result {
        try await self.write { store, writer in
            do {
                return try body(store, writer, writer.digests())
            } catch {
                writer.discard()
                throw error
            }
        }
    }

    private mutating func write<Result: Sendable>(
        _ then: @escaping @Sendable (Store, ObjectWriter) throws -> Result
    ) async throws -> Result {
        let (writer, hashesSHA256, checksums) = (self.writer, self.hashesSHA256, self.checksums)
        let buffers = self.buffers
        self.buffers = []
        self.pending = 0
        return try await self.disk.run { store in
            let writer = try writer ?? store.makeWriter(hashingSHA256: hashesSHA256, checksums: checksums)
            try writer.write(buffers)
            return try then(store, writer)
        }
    }

    /// Leaves nothing of an upload that failed.
    func discard() async {
        if let writer = self.writer {
            try? await self.disk.run { _ in writer.discard() }
        }
    }
}
