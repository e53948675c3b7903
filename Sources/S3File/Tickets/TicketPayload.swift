/// A ticket's values as bytes. A number is groups of seven bits, the lowest first, all but the last with the eighth bit set; a text is the
/// number of its bytes, then these, in UTF-8.
///
/// Every value has one spelling, so nobody can write the same ticket in two ways. Written by hand because each form that is posted is read
/// with it: JSON took longer than the signature.
enum TicketPayload {
    struct Writer {
        private(set) var bytes: [UInt8] = []

        mutating func append(_ number: UInt64) {
            var rest = number
            while rest >= 0x80 {
                self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            self.bytes.append(UInt8(rest))
        }

        mutating func append(_ text: String) {
            self.append(UInt64(text.utf8.count))
            self.bytes.append(contentsOf: text.utf8)
        }

        mutating func append(_ texts: [String]) {
            self.append(UInt64(texts.count))
            for text in texts { self.append(text) }
        }
    }

    /// Each of its methods returns nil for what a ``Writer`` does not write.
    struct Reader {
        private let bytes: [UInt8]
        private var position = 0

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }

        var isAtEnd: Bool { self.position == self.bytes.count }

        mutating func number() -> Int64? {
            var number: UInt64 = 0
            for group in 0..<9 {
                guard self.position < self.bytes.count else { return nil }
                let byte = self.bytes[self.position]
                self.position += 1
                number |= UInt64(byte & 0x7F) << UInt64(7 * group)
                guard byte < 0x80 else { continue }
                // A last group of nothing but zeros could have been left out. Nine groups have 63 bits, none of them a sign.
                return byte > 0 || group == 0 ? Int64(number) : nil
            }
            return nil
        }

        mutating func text() -> String? {
            guard let count = self.number(), count <= Int64(self.bytes.count - self.position) else { return nil }
            let end = self.position + Int(count)
            defer { self.position = end }
            return String(validating: self.bytes[self.position..<end], as: UTF8.self)
        }

        /// Each text takes a byte at least, so whatever number is told, there are no more than bytes.
        mutating func texts() -> [String]? {
            guard let count = self.number(), count <= Int64(self.bytes.count - self.position) else { return nil }
            var texts: [String] = []
            texts.reserveCapacity(Int(count))
            for _ in 0..<count {
                guard let text = self.text() else { return nil }
                texts.append(text)
            }
            return texts
        }
    }
}
