import HeapModule

/// A clock of our own that goes from one event to the next, without waiting. Of what comes at the same moment, what was foreseen first comes first.
package struct Timeline<Event> {
    @usableFromInline struct Foreseen: Comparable {
        @usableFromInline var at: Duration
        @usableFromInline var order: Int
        @usableFromInline var event: Event

        @inlinable init(at: Duration, order: Int, event: Event) {
            (self.at, self.order, self.event) = (at, order, event)
        }

        @inlinable static func < (one: Self, other: Self) -> Bool { (one.at, one.order) < (other.at, other.order) }
        @inlinable static func == (one: Self, other: Self) -> Bool { one.order == other.order }
    }

    /// Since the beginning.
    @usableFromInline package var now = Duration.zero
    @usableFromInline var events = Heap<Foreseen>()
    @usableFromInline var order = 0

    @inlinable package init() {}

    @inlinable package mutating func add(_ event: Event, after delay: Duration) {
        self.order += 1
        self.events.insert(Foreseen(at: self.now + max(.zero, delay), order: self.order, event: event))
    }

    /// Goes on to the next event.
    @inlinable package mutating func next() -> Event? {
        guard let next = self.events.popMin() else { return nil }
        self.now = next.at
        return next.event
    }
}
