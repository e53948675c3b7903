@testable import S3File
import Testing

@Suite struct EventPositionTests {
    private let now = ContinuousClock.now

    @Test func `what is missing among the ids is asked for again until it is seen`() {
        var position = EventPosition([4, 7, 5], now: self.now)
        #expect(position.last == 7 && Set(position.gaps.keys) == [6])
        position.note([10], now: self.now)
        #expect(position.last == 10 && Set(position.gaps.keys) == [6, 8, 9])
        position.note([6, 9, 11], now: self.now)
        #expect(position.last == 11 && Set(position.gaps.keys) == [8])
    }

    @Test func `what does not come within a minute was rolled back, and is forgotten`() {
        var position = EventPosition([1, 3], now: self.now)
        position.note([5], now: self.now + .seconds(59))
        #expect(Set(position.gaps.keys) == [2, 4])
        position.note([], now: self.now + .seconds(60))
        #expect(Set(position.gaps.keys) == [4])
    }

    @Test func `a jump of the ids, as after a failover, costs no more than a thousand of them`() {
        var position = EventPosition([], now: self.now)
        #expect(position.last == 0)
        position.note([5_000_000], now: self.now)
        position.note([9_000_000], now: self.now)
        #expect(position.gaps.count == EventPosition.mostGaps && position.gaps.keys.min() == 8_999_000)
    }
}
