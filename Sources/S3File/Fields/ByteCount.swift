/// A number of bytes, written the way limits are spoken of: `.megabytes(20)`. Units are powers of 1,000, as S3's own limits are.
public struct ByteCount: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number of bytes.
    public var bytes: Int64

    /// Makes a count from a number of bytes.
    public init(bytes: Int64) {
        self.bytes = bytes
    }

    /// `count` bytes.
    public static func bytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count) }
    /// `count` × 1,000 bytes.
    public static func kilobytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count * 1_000) }
    /// `count` × 1,000,000 bytes.
    public static func megabytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count * 1_000_000) }
    /// `count` × 1,000,000,000 bytes.
    public static func gigabytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count * 1_000_000_000) }

    /// By their number of bytes.
    public static func < (lhs: ByteCount, rhs: ByteCount) -> Bool { lhs.bytes < rhs.bytes }

    /// For people: `"512 bytes"`, `"20 MB"`, `"2.1 GB"`.
    public var description: String {
        let units: [(size: Int64, name: String)] = [
            (1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"),
        ]
        guard let unit = units.first(where: { self.bytes >= $0.size }) else {
            return self.bytes == 1 ? "1 byte" : "\(self.bytes) bytes"
        }
        let tenths = (self.bytes % unit.size) * 10 / unit.size
        let whole = self.bytes / unit.size
        return tenths == 0 || whole >= 100 ? "\(whole) \(unit.name)" : "\(whole).\(tenths) \(unit.name)"
    }
}
