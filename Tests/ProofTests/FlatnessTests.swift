import Proof
import Testing

/// What an hour of samples, one every 15 seconds, is judged to be.
@Suite struct FlatnessTests {
    private static let mebibyte = 1_048_576.0

    /// An hour of a measure, after a warm-up in which it rises to 60.
    private func hour(
        _ measure: SoakSeries.Measure,
        seed: UInt64 = 1,
        _ value: (_ second: Double, _ noise: Double) -> Double
    ) -> Flatness {
        var generator = SeededGenerator(seed: seed)
        let points = stride(from: 0.0, to: 3_600, by: 15).map { second in
            SoakSeries.Point(second: second, value: value(second, .random(in: -1...1, using: &generator)))
        }
        return Flatness(of: SoakSeries("x", measure, points), seconds: 3_600)
    }

    private func memory(seed: UInt64 = 1, _ mebibytes: (_ second: Double, _ noise: Double) -> Double) -> Flatness {
        self.hour(.memory, seed: seed) { mebibytes($0, $1) * Self.mebibyte }
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func `noise is flat, and so is a warm-up that ends in its time`(seed: UInt64) {
        let flatness = self.memory(seed: seed) { second, noise in min(60, 20 + second / 10) + 3 * noise }
        #expect(flatness.isFlat, "\(flatness)")
        #expect(abs(flatness.start - 60 * Self.mebibyte) < Self.mebibyte)
        #expect(flatness.samples == 200)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func `a leak of 10 MiB an hour from 60 MiB is found behind the noise`(
        seed: UInt64
    ) {
        let flatness = self.memory(seed: seed) { second, noise in 60 + 10 * second / 3_600 + 3 * noise }
        #expect(!flatness.isFlat, "\(flatness)")
        #expect(abs(flatness.slopePerHour / Self.mebibyte - 10) < 2)
    }

    @Test func `a leak of 2 MiB an hour from 60 MiB is below what an hour can tell`() {
        #expect(self.memory { second, noise in 60 + 2 * second / 3_600 + noise }.isFlat)
    }

    @Test func `memory that a flood took and gave back is flat, and what it left behind is not`() {
        let isFlood = { (second: Double) in
            (1_200..<2_400).contains(second) && (second - 1_200).truncatingRemainder(dividingBy: 300) < 75
        }
        let given = self.memory { second, noise in 60 + (isFlood(second) ? 80 : 0) + noise }
        #expect(given.isFlat, "\(given)")
        #expect(given.maximum > 130 * Self.mebibyte)
        let kept = self.memory { second, noise in 60 + (second > 1_200 ? 20 : 0) + noise }
        #expect(!kept.isFlat, "\(kept)")
    }

    @Test func `memory and descriptors may be given back`() {
        #expect(self.memory { second, _ in 100 - 20 * second / 3_600 }.isFlat)
        #expect(self.hour(.count) { second, _ in second > 900 ? 55 : 74 }.isFlat)
    }

    @Test func `a staircase of descriptors is refused, one step every ten minutes`() {
        let flatness = self.hour(.count) { second, _ in 40 + (second / 600).rounded(.down) }
        #expect(!flatness.isFlat, "\(flatness)")
    }

    @Test func `a pool of threads that starts late is flat, and a thread every two minutes is not`() {
        #expect(self.hour(.threads) { second, _ in second > 1_900 ? 28 : 12 }.isFlat)
        #expect(!self.hour(.threads) { second, _ in 12 + (second / 120).rounded(.down) }.isFlat)
    }

    @Test func `connections that breathe are flat, and those that get fewer are not`() {
        #expect(self.hour(.connections) { _, noise in (20 + 2 * noise).rounded() }.isFlat)
        #expect(!self.hour(.connections) { second, _ in 20 - (second / 600).rounded(.down) }.isFlat)
        #expect(!self.hour(.connections) { second, _ in second > 2_000 ? 2 : 8 }.isFlat)
        #expect(!self.hour(.connections) { second, _ in second > 2_000 ? 8 : 2 }.isFlat)
    }

    @Test func `what is only told may grow`() {
        #expect(self.hour(.other) { second, _ in second }.isFlat)
    }

    @Test func `a few samples prove nothing`() {
        let points = (0..<6).map { SoakSeries.Point(second: Double($0) * 15, value: 1) }
        #expect(!Flatness(of: SoakSeries("x", .count, points), seconds: 90).isFlat)
        #expect(!Flatness(of: SoakSeries("x", .count), seconds: 90).isFlat)
    }
}
