import Foundation
import NIOConcurrencyHelpers

/// Random numbers that can be had again: SplitMix64, from a seed that is printed, or given as `S3FILE_CHAOS_SEED`.
final class Dice: Sendable {
    private let state: NIOLockedValueBox<UInt64>

    init() {
        let seed = ProcessInfo.processInfo.environment["S3FILE_CHAOS_SEED"].flatMap(UInt64.init) ?? .random(in: .min ... .max)
        print("chaos: S3FILE_CHAOS_SEED=\(seed)")
        self.state = NIOLockedValueBox(seed)
    }

    func roll(_ range: Range<Int>) -> Int {
        var generator = Generator(dice: self)
        return Int.random(in: range, using: &generator)
    }

    private struct Generator: RandomNumberGenerator {
        let dice: Dice

        mutating func next() -> UInt64 {
            self.dice.state.withLockedValue { state in
                state &+= 0x9E37_79B9_7F4A_7C15
                var word = state
                word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
                word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
                return word ^ (word >> 31)
            }
        }
    }
}
