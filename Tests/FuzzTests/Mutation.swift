/// Small changes to known inputs, in a sequence that a seed decides.
struct Mutation {
    /// SplitMix64, so that every machine and every toolchain draws the same numbers.
    private var state: UInt64

    /// Pieces that grammars turn on.
    private static let words: [[UInt8]] = [
        "<", "</", "/>", "<!--", "-->", "<![CDATA[", "]]>", "&#x", ";", "&amp;", "<!", "<?xml ", "?>", "\"", "'", "=", "{", "}",
        "[", "]", ":",
        ",", "\\u0000", "\\ud83e", "null", "-1", "9223372036854775808", "1e999", "\r\n", "\r", "\n", "\r\n\r\n", "--xYz",
        "\r\n--xYz\r\n",
        "\r\n--xYz--", "Content-Disposition: form-data; name=\"a\"", "; filename=\"", "%", "$key", "starts-with", "\u{0}",
        "\u{FEFF}", "[profile ", "#",
    ].map { Array($0.utf8) }

    init(seed: UInt64) {
        self.state = seed
    }

    private mutating func draw(_ count: Int) -> Int {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var number = self.state
        number = (number ^ (number >> 30)) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((number ^ (number >> 31)) % UInt64(max(count, 1)))
    }

    mutating func next(of corpus: [[UInt8]]) -> [UInt8] {
        var bytes = corpus[self.draw(corpus.count)]
        for _ in 0...self.draw(4) {
            let position = self.draw(bytes.count + 1)
            switch self.draw(7) {
            case 0 where position < bytes.count: bytes[position] ^= UInt8(1 << self.draw(8))
            case 1 where position < bytes.count: bytes.remove(at: position)
            case 2: bytes.insert(contentsOf: Self.words[self.draw(Self.words.count)], at: position)
            case 3: bytes.removeSubrange(position...)
            case 4:
                // A piece again, at another place.
                let start = self.draw(bytes.count + 1)
                let piece = bytes[start..<min(bytes.count, start + self.draw(40))]
                bytes.insert(contentsOf: Array(piece), at: position)
            case 5:
                let other = corpus[self.draw(corpus.count)]
                bytes = Array(bytes[..<position]) + other.dropFirst(self.draw(other.count + 1))
            default: bytes.insert(UInt8(self.draw(256)), at: position)
            }
        }
        return Array(bytes.prefix(8192))
    }
}
