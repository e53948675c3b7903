import HeapModule

/// A clock of our own that goes from one event to the next, without waiting. Of what comes at the same moment, what was foreseen first comes first.
package struct Timeline<Event> {
    private struct Foreseen: Comparable {
        var at: Duration
        var order: Int
        var event: Event

        static func < (one: Self, other: Self) -> Bool { (one.at, one.order) < (other.at, other.order) }
        static func == (one: Self, other: Self) -> Bool { one.order == other.order }
    }

    /// Since the beginning.
    package private(set) var now = Duration.zero
    private var events = Heap<Foreseen>()
    private var order = 0

    package init() {}

    package mutating func add(_ event: Event, after delay: Duration) {
        self.order += 1
        self.events.insert(Foreseen(at: self.now + max(.zero, delay), order: self.order, event: event))
    }

    /// Goes on to the next event.
    package mutating func next() -> Event? {
        guard let next = self.events.popMin() else { return nil }
        self.now = next.at
        return next.event
    }
}
