/// A reflected cyclic redundancy check of 32 or 64 bits, eight bytes a step.
struct CRC {
    struct Polynomial: Sendable {
        let width: Int
        private let reflected: UInt64
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
            self.reflected = reflected
            self.tables = tables
        }

        var mask: UInt64 { self.width == 8 ? .max : 0xFFFF_FFFF }

        /// The check of two texts, one behind the other, from the checks of both and the second's length: the first check is
        /// multiplied by `x` to the power of the bits that follow it, modulo the polynomial.
        func combine(_ first: UInt64, _ second: UInt64, length: UInt64) -> UInt64 {
            // `x` to the power of eight, squared once for every bit of the length. The highest bit stands for the power of zero.
            let top = UInt64(1) << UInt64(8 * self.width - 1)
            var square = top >> 8
            var power = top
            var rest = length
            while rest > 0 {
                if rest & 1 == 1 {
                    power = self.multiply(power, square)
                }
                square = self.multiply(square, square)
                rest >>= 1
            }
            return self.multiply(first, power) ^ second
        }

        /// The product of two reflected polynomials, modulo this one.
        private func multiply(_ one: UInt64, _ other: UInt64) -> UInt64 {
            var product: UInt64 = 0
            var factor = other
            var bit = UInt64(1) << UInt64(8 * self.width - 1)
            while bit != 0 {
                if one & bit != 0 {
                    product ^= factor
                }
                factor = factor & 1 == 1 ? factor >> 1 ^ self.reflected : factor >> 1
                bit >>= 1
            }
            return product
        }
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
