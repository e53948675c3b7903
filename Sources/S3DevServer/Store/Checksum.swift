import Crypto
import Foundation

/// The checksums that S3's SDKs send beside MD5 and the signature's SHA-256
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
struct Checksum {
    enum Algorithm: String, CaseIterable, Sendable {
        case crc32, crc32c, crc64nvme, sha1, sha256

        var headerName: String { "x-amz-checksum-\(self.rawValue)" }
    }

    private enum State {
        case crc(CRC)
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
    }

    private var state: State

    init(_ algorithm: Algorithm) {
        switch algorithm {
        case .crc32: self.state = .crc(CRC(.crc32))
        case .crc32c: self.state = .crc(CRC(.crc32c))
        case .crc64nvme: self.state = .crc(CRC(.crc64nvme))
        case .sha1: self.state = .sha1(Insecure.SHA1())
        case .sha256: self.state = .sha256(SHA256())
        }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch self.state {
        case .crc(var crc):
            crc.update(bytes)
            self.state = .crc(crc)
        case .sha1(var hash):
            hash.update(bufferPointer: bytes)
            self.state = .sha1(hash)
        case .sha256(var hash):
            hash.update(bufferPointer: bytes)
            self.state = .sha256(hash)
        }
    }

    var base64: String {
        switch self.state {
        case .crc(let crc): return Data(crc.bigEndianBytes).base64EncodedString()
        case .sha1(let hash): return Data(hash.finalize()).base64EncodedString()
        case .sha256(let hash): return Data(hash.finalize()).base64EncodedString()
        }
    }
}

/// A reflected cyclic redundancy check of 32 or 64 bits, eight bytes a step.
struct CRC {
    struct Polynomial: Sendable {
        let width: Int
        /// `tables[256 * k + b]` is the check of byte `b` followed by `k` zero bytes.
        let tables: [UInt64]

        static let crc32 = Polynomial(width: 4, reflected: 0xEDB8_8320)
        static let crc32c = Polynomial(width: 4, reflected: 0x82F6_3B78)
        static let crc64nvme = Polynomial(width: 8, reflected: 0x9A6C_9329_AC4B_C9B5)

        private init(width: Int, reflected: UInt64) {
            var tables = [UInt64](repeating: 0, count: 8 * 256)
            for byte in 0..<256 {
                var value = UInt64(byte)
                for _ in 0..<8 {
                    value = value & 1 == 1 ? value >> 1 ^ reflected : value >> 1
                }
                tables[byte] = value
            }
            for index in 256..<tables.count {
                let previous = tables[index - 256]
                tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
            }
            self.width = width
            self.tables = tables
        }

        var mask: UInt64 { self.width == 8 ? .max : 0xFFFF_FFFF }
    }

    private let polynomial: Polynomial
    private var register: UInt64

    init(_ polynomial: Polynomial) {
        self.polynomial = polynomial
        self.register = polynomial.mask
    }

    var bigEndianBytes: [UInt8] {
        let value = self.register ^ self.polynomial.mask
        return (0..<self.polynomial.width).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var register = self.register
        self.polynomial.tables.withUnsafeBufferPointer { table in
            var index = 0
            let wordsEnd = bytes.count & ~7
            while index < wordsEnd {
                let word = register ^ UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                register =
                    table[1792 + Int(truncatingIfNeeded: word & 0xFF)]
                    ^ table[1536 + Int(truncatingIfNeeded: word >> 8 & 0xFF)]
                    ^ table[1280 + Int(truncatingIfNeeded: word >> 16 & 0xFF)]
                    ^ table[1024 + Int(truncatingIfNeeded: word >> 24 & 0xFF)]
                    ^ table[768 + Int(truncatingIfNeeded: word >> 32 & 0xFF)]
                    ^ table[512 + Int(truncatingIfNeeded: word >> 40 & 0xFF)]
                    ^ table[256 + Int(truncatingIfNeeded: word >> 48 & 0xFF)]
                    ^ table[Int(truncatingIfNeeded: word >> 56)]
                index += 8
            }
            while index < bytes.count {
                register = register >> 8 ^ table[Int(truncatingIfNeeded: (register ^ UInt64(bytes[index])) & 0xFF)]
                index += 1
            }
        }
        self.register = register
    }
}
