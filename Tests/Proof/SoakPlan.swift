/// What a soak is asked for, and when its floods come.
package struct SoakPlan: Sendable, Hashable {
    /// How long a flood is, where the run has time for it.
    package static let floodSeconds = 60.0
    /// From the beginning of one to that of the next.
    package static let floodEvery = 300.0
    /// How many clients a flood has for each of the usual load.
    package static let floodFactor = 20

    package var seconds: Double
    package var workers: Int
    package var clients: Int
    package var hasFlood: Bool

    package init(seconds: Double, workers: Int, clients: Int, hasFlood: Bool) {
        self.seconds = seconds
        self.workers = workers
        self.clients = clients
        self.hasFlood = hasFlood
    }

    /// Seconds since the beginning. The first comes early in the warm-up: an allocator keeps what its busiest moment needed, and gives little
    /// of it back to the system. The others come within the middle third, so that what is judged last has nothing of them but what they left
    /// behind; and that is nothing beyond what the first left.
    package var floods: [ClosedRange<Double>] {
        guard self.hasFlood else { return [] }
        let quarter = self.seconds * Flatness.warmUp / 4
        let (start, end) = (self.seconds / 3, self.seconds * 2 / 3)
        let length = min(Self.floodSeconds, end - start)
        let others = stride(from: start, through: end - length, by: Self.floodEvery)
        return [quarter...(quarter + min(Self.floodSeconds, 2 * quarter))] + others.map { $0...($0 + length) }
    }
}
