import Crypto
import S3

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The key of an object: any 1 to 1,024 bytes of UTF-8. Compared by bytes, as S3 orders its listings; `String` would take
/// keys that differ in Unicode's composition for one.
struct ObjectKey: Hashable, Comparable, Sendable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws(S3Error) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw S3Error(S3Error.Code("InvalidURI"), status: 400, message: "Couldn't parse the specified URI.")
        }
        guard bytes.count <= 1024 else {
            throw S3Error(S3Error.Code("KeyTooLongError"), status: 400, message: "Your key is too long.")
        }
        guard !bytes.isEmpty else {
            throw S3Error(.invalidArgument, status: 400, message: "The key is empty.")
        }
        self.bytes = bytes
    }

    init(_ text: String) throws(S3Error) {
        try self.init(Array(text.utf8))
    }

    var text: String { String(decoding: self.bytes, as: UTF8.self) }

    /// A name that no key can steer: the key itself is in the file.
    var fileName: String { SigV4.hexadecimal(SHA256.hash(data: self.bytes)) }

    static func < (one: ObjectKey, other: ObjectKey) -> Bool {
        one.precedes(other.bytes)
    }

    func precedes(_ other: [UInt8]) -> Bool {
        self.bytes.withUnsafeBytes { mine in
            other.withUnsafeBytes { theirs in
                guard let one = mine.baseAddress, let two = theirs.baseAddress else {
                    return mine.count < theirs.count
                }
                let order = memcmp(one, two, min(mine.count, theirs.count))
                return order == 0 ? mine.count < theirs.count : order < 0
            }
        }
    }
}

enum BucketName {
    /// The general rules of S3 for new buckets, which also make the name safe as a folder's.
    static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), !name.contains("..") else {
            return false
        }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }
}
