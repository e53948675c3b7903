/// Random numbers that can be had again: SplitMix64 (Steele, Lea and Flood, 2014). A plan draws all of its chance from one of these.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        self.state = seed
    }

    /// One of many of the same seed, each for a purpose of its own: what is drawn for one moves none of the others.
    package init(seed: UInt64, purpose: UInt64) {
        var mixing = SeededGenerator(seed: seed)
        self.state = mixing.next() ^ (purpose &* 0xD6E8_FEB8_6659_FD93)
        self.state = self.next()
    }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var word = self.state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// One of these, each as likely as its weight says.
    mutating func pick<Value>(_ choices: [(value: Value, weight: Int)]) -> Value? {
        var left = Int.random(in: 0..<max(1, choices.reduce(0) { $0 + $1.weight }), using: &self)
        for choice in choices {
            left -= choice.weight
            if left < 0 { return choice.value }
        }
        return choices.last?.value
    }
}
