package import Foundation

extension UUID {
    /// A time-ordered UUID: 48 bits of Unix milliseconds, then random bits, so that new rows land at the end of the index.
    /// <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7>
    ///
    /// - Parameter position: for several of one moment, so that they sort as they were made; takes the place of the 12 bits after the time.
    package static func version7(now: Date = Date(), position: Int? = nil) -> UUID {
        var generator = SystemRandomNumberGenerator()
        let milliseconds = UInt64(max(0, now.timeIntervalSince1970 * 1_000))
        let high = (milliseconds << 16) | 0x7000 | (position.map { UInt64(truncatingIfNeeded: $0) } ?? generator.next()) & 0x0FFF
        let low = 0x8000_0000_0000_0000 | (generator.next() >> 2)
        func byte(_ word: UInt64, _ index: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> (56 - 8 * index)) }
        return UUID(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4), byte(high, 5), byte(high, 6),
                byte(high, 7),
                byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3), byte(low, 4), byte(low, 5), byte(low, 6), byte(low, 7)
            )
        )
    }
}
