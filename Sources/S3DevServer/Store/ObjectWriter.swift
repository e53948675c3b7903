import Crypto
import Foundation
import NIOCore
import S3
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file on its way to become an object or a part: written under a temporary name, then sealed, then renamed by the store.
/// Dropped before that, it leaves nothing.
final class ObjectWriter: Sendable {
    struct Digests: Sendable {
        /// Hexadecimal.
        var md5: String
        /// Hexadecimal; nil unless asked for.
        var sha256: String?
        /// Base64, by header name: those that were asked for.
        var checksums: [String: String]
    }

    private struct State {
        var descriptor: Int32?
        var size: Int64 = 0
        var md5 = Insecure.MD5()
        var sha256: SHA256?
        var checksums: [(algorithm: Checksum.Algorithm, checksum: Checksum)] = []
        var isSettled = false
    }

    let path: String
    private let synchronizes: Bool
    private let state: NIOLockedValueBox<State>

    init(path: String, synchronizes: Bool, hashingSHA256: Bool, checksums: [Checksum.Algorithm]) throws {
        self.path = path
        self.synchronizes = synchronizes
        var state = State(descriptor: try Files.open(path, O_WRONLY | O_CREAT | O_EXCL))
        state.sha256 = hashingSHA256 ? SHA256() : nil
        state.checksums = checksums.map { ($0, Checksum($0)) }
        self.state = NIOLockedValueBox(state)
    }

    deinit {
        self.discard()
    }

    var size: Int64 { self.state.withLockedValue { $0.size } }

    func write(_ buffers: [ByteBuffer]) throws {
        try self.state.withLockedValue { state in
            guard let descriptor = state.descriptor else {
                throw FileError(call: "write", errno: EBADF)
            }
            for buffer in buffers {
                try buffer.withUnsafeReadableBytes { bytes in
                    try Files.writeAll(bytes, to: descriptor)
                    state.md5.update(bufferPointer: bytes)
                    state.sha256?.update(bufferPointer: bytes)
                    for index in state.checksums.indices {
                        state.checksums[index].checksum.update(bytes)
                    }
                    state.size += Int64(bytes.count)
                }
            }
        }
    }

    /// Takes over bytes whose digests are known: they are not looked at.
    func append(_ range: Range<Int64>, of file: ObjectFile) throws {
        try self.state.withLockedValue { state in
            guard let descriptor = state.descriptor else {
                throw FileError(call: "write", errno: EBADF)
            }
            try file.append(range, to: descriptor)
            state.size += Int64(range.count)
        }
    }

    func digests() -> Digests {
        self.state.withLockedValue { state in
            Digests(
                md5: SigV4.hexadecimal(state.md5.finalize()),
                sha256: state.sha256.map { SigV4.hexadecimal($0.finalize()) },
                checksums: Dictionary(
                    uniqueKeysWithValues: state.checksums.map { ($0.algorithm.headerName, $0.checksum.base64) }
                )
            )
        }
    }

    /// Writes the record behind the bytes and brings both to the disk.
    func seal(_ record: ObjectRecord) throws {
        let tail = try ObjectFile.tail(of: record)
        try self.state.withLockedValue { state in
            guard let descriptor = state.descriptor, record.size == state.size else {
                throw FileError(call: "write", errno: EBADF)
            }
            try tail.withUnsafeBytes { try Files.writeAll($0, to: descriptor) }
            if self.synchronizes {
                try Files.synchronize(descriptor)
            }
            state.descriptor = nil
            Files.shut(descriptor)
        }
    }

    /// Gives the sealed file its place.
    func move(to destination: String) throws {
        try self.state.withLockedValue { state in
            guard state.descriptor == nil, !state.isSettled else {
                throw FileError(call: "rename", errno: EBADF)
            }
            try Files.moveCreatingFolder(self.path, to: destination, synchronizes: self.synchronizes)
            state.isSettled = true
        }
    }

    /// Leaves nothing behind. Does nothing once the file has its place.
    func discard() {
        self.state.withLockedValue { state in
            if let descriptor = state.descriptor {
                Files.shut(descriptor)
                state.descriptor = nil
            }
            if !state.isSettled {
                state.isSettled = true
                try? Files.remove(self.path)
            }
        }
    }
}
