import S3

/// Which version of an object a request names.
struct ObjectVersion: Hashable, Sendable {
    /// nil is the `null` version, which every object has that was written while its bucket was not versioned.
    let id: String?

    static let null = ObjectVersion(id: nil)

    init(id: String?) {
        self.id = id
    }

    /// A version as clients name it.
    init(_ text: String) throws(S3Error) {
        if text == "null" {
            self.id = nil
            return
        }
        guard Self.isWellFormed(text) else {
            throw .invalidArgument("Invalid version id specified")
        }
        self.id = text
    }

    var text: String { self.id ?? "null" }

    /// Opaque to clients. To this server it begins with the version's order, so that a listing can go on behind a version that
    /// has been deleted meanwhile.
    static func makeID(order: UInt64) -> String {
        SigV4.hexadecimal(
            withUnsafeBytes(of: order.bigEndian) { Array($0) } + (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        )
    }

    static func order(ofID id: String) -> UInt64? { UInt64(id.prefix(16), radix: 16) }

    /// Safe in the name of a file, too.
    static func isWellFormed(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
    }
}
