#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

extension UUID: PostgresScalar {
    package static var postgresType: PostgresType { .uuid }
    package static var postgresArrayType: PostgresType { .uuidArray }

    package func encode(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: self.uuid) { bytes.append(contentsOf: $0) }
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> UUID {
        let bytes = try cell.required(for: UUID.self)
        guard cell.type == .uuid else { throw cell.mismatch(UUID.self) }
        guard bytes.count == 16 else { throw cell.malformed(UUID.self) }
        return UUID(uuid: bytes.withUnsafeBytes { $0.loadUnaligned(as: uuid_t.self) })
    }
}

/// A timestamptz: microseconds since 2000-01-01 UTC, rounded to the nearest. Postgres' infinities have no `Date`.
extension Date: PostgresScalar {
    package static var postgresType: PostgresType { .timestamptz }
    package static var postgresArrayType: PostgresType { .timestamptzArray }

    /// From 2000-01-01 to Foundation's 2001-01-01: 366 days.
    private static let referenceOffset = 366.0 * 86_400

    package func encode(into bytes: inout [UInt8]) throws(PostgresError) {
        let microseconds = ((self.timeIntervalSinceReferenceDate + Self.referenceOffset) * 1_000_000).rounded()
        guard let microseconds = Int64(exactly: microseconds), microseconds != .max, microseconds != .min else {
            throw PostgresError(.invalidParameter, "the date is outside what a timestamptz can hold.")
        }
        bytes.append(bigEndian: microseconds)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Date {
        let bytes = try cell.required(for: Date.self)
        guard cell.type == .timestamptz else { throw cell.mismatch(Date.self) }
        guard let microseconds = bytes.integer(Int64.self), microseconds != .max, microseconds != .min else {
            throw cell.malformed(Date.self)
        }
        // Whole seconds and the rest apart: together they would lose the last digit.
        let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return Date(timeIntervalSinceReferenceDate: Double(seconds) - Self.referenceOffset + Double(rest) / 1_000_000)
    }
}
