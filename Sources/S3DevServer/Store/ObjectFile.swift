import Foundation
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An object's file, open. The bytes and the record come from the same file, so whoever holds this sees one object whole,
/// whatever replaces or deletes it meanwhile.
///
/// The file is the object's bytes, then the record as JSON, the length of that JSON in eight bytes, and eight bytes of magic.
/// One rename makes all of it visible.
final class ObjectFile: Sendable {
    let record: ObjectRecord
    /// The version as answers name it; nil in a bucket that never had versions.
    let shownVersion: String?
    private let descriptor: Int32

    private static let magic = Array("s3devob1".utf8)
    private static let tailLength = 16
    /// Ten thousand parts with a SHA-512 each take 1.6 MB.
    private static let maximumRecordLength = 4 << 20

    /// - Parameter tags: those that were put after the object, in place of the ones in its record.
    init(path: String, tags: [ObjectTag]? = nil, shownVersion: String? = nil) throws {
        let descriptor = try Files.open(path, O_RDONLY | O_NOFOLLOW)
        do {
            var record = try Self.readRecord(descriptor)
            record.attributes.tags = tags ?? record.attributes.tags
            self.record = record
        } catch {
            Files.shut(descriptor)
            throw error
        }
        self.shownVersion = shownVersion
        self.descriptor = descriptor
    }

    deinit {
        Files.shut(self.descriptor)
    }

    /// Up to `length` of the object's bytes from `offset` on.
    func read(at offset: Int64, length: Int) throws -> ByteBuffer {
        let length = Int(max(0, min(Int64(length), self.record.size - offset)))
        var buffer = ByteBufferAllocator().buffer(capacity: length)
        let read = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { space in
            try Files.read(self.descriptor, at: offset, into: UnsafeMutableRawBufferPointer(rebasing: space.prefix(length)))
        }
        guard read == length else {
            throw FileError(call: "read", errno: EIO)
        }
        return buffer
    }

    /// Appends some of the object's bytes to another file.
    func append(_ range: Range<Int64>, to other: Int32) throws(FileError) {
        guard range.upperBound <= self.record.size else {
            throw FileError(call: "read", errno: EIO)
        }
        try Files.append(range.count, of: self.descriptor, at: range.lowerBound, to: other)
    }

    /// What is written behind an object's bytes.
    static func tail(of record: ObjectRecord) throws -> [UInt8] {
        let json = try JSONEncoder().encode(record)
        // Nobody could read it any more.
        guard json.count <= self.maximumRecordLength else { throw FileError(call: "write record", errno: EFBIG) }
        var tail = Array(json)
        withUnsafeBytes(of: UInt64(json.count).littleEndian) { tail.append(contentsOf: $0) }
        tail.append(contentsOf: self.magic)
        return tail
    }

    private static func readRecord(_ descriptor: Int32) throws -> ObjectRecord {
        let torn = FileError(call: "read record", errno: EIO)
        let size = try Files.size(descriptor)
        // Most records fit the first read.
        var end = try self.readEnd(descriptor, size: size, length: 2048)
        guard end.count >= self.tailLength, end.suffix(8).elementsEqual(self.magic) else {
            throw torn
        }
        let length = end.suffix(self.tailLength).prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(self.maximumRecordLength) else {
            throw torn
        }
        if end.count < Int(length) + self.tailLength {
            end = try self.readEnd(descriptor, size: size, length: Int(length) + self.tailLength)
        }
        let json = end.dropLast(self.tailLength).suffix(Int(length))
        let record = try JSONDecoder().decode(ObjectRecord.self, from: Data(json))
        guard record.size + Int64(length) + Int64(self.tailLength) == size else {
            throw torn
        }
        return record
    }

    private static func readEnd(_ descriptor: Int32, size: Int64, length: Int) throws -> [UInt8] {
        let length = Int(min(Int64(length), size))
        return try [UInt8](unsafeUninitializedCapacity: length) { space, count in
            count = try Files.read(
                descriptor,
                at: size - Int64(length),
                into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(space).prefix(length))
            )
        }
    }
}
