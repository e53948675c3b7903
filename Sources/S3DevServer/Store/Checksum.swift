import Crypto
import Foundation

/// Whether an object's checksum is of its bytes, or of the checksums of its parts.
enum ChecksumType: String, Codable, Sendable {
    case fullObject = "FULL_OBJECT"
    case composite = "COMPOSITE"
}

/// The checksums that S3's SDKs send beside MD5 and the signature's SHA-256
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
struct Checksum {
    enum Algorithm: String, CaseIterable, Sendable {
        case crc32, crc32c, crc64nvme, sha1, sha256, sha512, md5

        /// What S3 computes when a client sends nothing.
        static let standard = Algorithm.crc64nvme

        private static let byHeader = Dictionary(
            uniqueKeysWithValues: Self.allCases.map { ("x-amz-checksum-\($0.rawValue)", $0) }
        )

        /// `CRC32`, as headers and XML name it.
        init?(name: String) {
            self.init(rawValue: name.lowercased())
        }

        init?(headerName: String) {
            guard let algorithm = Self.byHeader[headerName] else {
                return nil
            }
            self = algorithm
        }

        var name: String { self.rawValue.uppercased() }
        var headerName: String { "x-amz-checksum-\(self.rawValue)" }
        var elementName: String { "Checksum\(self.name)" }

        var length: Int {
            switch self {
            case .crc32, .crc32c: 4
            case .crc64nvme: 8
            case .md5: 16
            case .sha1: 20
            case .sha256: 32
            case .sha512: 64
            }
        }

        var polynomial: CRC.Polynomial? {
            switch self {
            case .crc32: .crc32
            case .crc32c: .crc32c
            case .crc64nvme: .crc64nvme
            default: nil
            }
        }

        /// The types that a multipart upload may have
        /// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
        func allows(_ type: ChecksumType) -> Bool {
            switch type {
            case .fullObject: self.polynomial != nil
            case .composite: self != .crc64nvme
            }
        }

        /// What CreateMultipartUpload means when it names no type.
        var standardType: ChecksumType { self == .crc64nvme ? .fullObject : .composite }

        /// Whether this is such a checksum, in Base64.
        func isWellFormed(_ value: String) -> Bool {
            Data(base64Encoded: value)?.count == self.length
        }
    }

    private enum State {
        case crc(CRC)
        case md5(Insecure.MD5)
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
        case sha512(SHA512)
    }

    private var state: State

    init(_ algorithm: Algorithm) {
        switch algorithm {
        case .crc32: self.state = .crc(CRC(.crc32))
        case .crc32c: self.state = .crc(CRC(.crc32c))
        case .crc64nvme: self.state = .crc(CRC(.crc64nvme))
        case .md5: self.state = .md5(Insecure.MD5())
        case .sha1: self.state = .sha1(Insecure.SHA1())
        case .sha256: self.state = .sha256(SHA256())
        case .sha512: self.state = .sha512(SHA512())
        }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch self.state {
        case .crc(var crc):
            crc.update(bytes)
            self.state = .crc(crc)
        case .md5(var hash):
            hash.update(bufferPointer: bytes)
            self.state = .md5(hash)
        case .sha1(var hash):
            hash.update(bufferPointer: bytes)
            self.state = .sha1(hash)
        case .sha256(var hash):
            hash.update(bufferPointer: bytes)
            self.state = .sha256(hash)
        case .sha512(var hash):
            hash.update(bufferPointer: bytes)
            self.state = .sha512(hash)
        }
    }

    var base64: String {
        switch self.state {
        case .crc(let crc): Data(crc.bigEndianBytes).base64EncodedString()
        case .md5(let hash): Data(hash.finalize()).base64EncodedString()
        case .sha1(let hash): Data(hash.finalize()).base64EncodedString()
        case .sha256(let hash): Data(hash.finalize()).base64EncodedString()
        case .sha512(let hash): Data(hash.finalize()).base64EncodedString()
        }
    }

    /// The checksum of an object of several parts, from the parts' own: nothing is read again. nil when a part has none.
    static func combine(
        _ parts: [ObjectRecord.Part],
        _ algorithm: Algorithm,
        _ type: ChecksumType
    ) -> String? {
        let values = parts.compactMap { part in
            part.checksums[algorithm.headerName].flatMap { Data(base64Encoded: $0) }
        }
        guard values.count == parts.count else {
            return nil
        }
        switch type {
        case .composite:
            var checksum = Checksum(algorithm)
            for value in values {
                value.withUnsafeBytes { checksum.update($0) }
            }
            return "\(checksum.base64)-\(parts.count)"
        case .fullObject:
            guard let polynomial = algorithm.polynomial else {
                return nil
            }
            var combined: UInt64 = 0
            for (part, value) in zip(parts, values) {
                let next = value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                combined = polynomial.combine(combined, next, length: UInt64(part.size))
            }
            let bytes = (0..<polynomial.width).reversed().map { UInt8(truncatingIfNeeded: combined >> UInt64(8 * $0)) }
            return Data(bytes).base64EncodedString()
        }
    }
}
