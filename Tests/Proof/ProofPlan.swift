/// All that a run will do: a function of what it was asked for, and of nothing else.
package struct ProofPlan: Sendable, Hashable {
    /// What a run is asked for.
    package struct Order: Sendable, Hashable {
        package var seed: UInt64
        package var uploads: Int
        package var kills: Int
        package var minutes: Double
        /// Of these strikes only.
        package var faults: Set<Strike.Kind>
        /// Of these histories only.
        package var kinds: Set<History.Kind>
        /// Milliseconds between two strikes that are no kills, on average.
        package var calm: Int

        package init(
            seed: UInt64,
            uploads: Int,
            kills: Int,
            minutes: Double,
            faults: Set<Strike.Kind> = Set(Strike.Kind.allCases),
            kinds: Set<History.Kind> = Set(History.Kind.allCases),
            calm: Int = 1_500
        ) {
            self.seed = seed
            self.uploads = uploads
            self.kills = kills
            self.minutes = minutes
            self.faults = faults
            self.kinds = kinds
            self.calm = calm
        }
    }

    package let order: Order
    /// In the order in which they begin.
    package let histories: [History]
    /// In the order in which they begin.
    package let strikes: [Strike]

    package init(_ order: Order) {
        self.order = order
        let length = Int(order.minutes * 60_000)
        self.histories = Self.histories(order, length)
        self.strikes = Self.strikes(order, length)
    }

    // MARK: Histories

    /// Above it a copy is made in parts: the store of a run copies no more in one request.
    package static let largestCopy = 5 << 20

    private static let weights: [History.Kind: Int] = [
        .committed: 24, .transaction: 12, .rolledBack: 8, .released: 8, .forgotten: 4, .cancelled: 6, .cancelledLate: 8,
        .retried: 6, .postedTwice: 8, .changed: 10, .mended: 5, .late: 4, .unclaimed: 4,
    ]

    private static func histories(_ order: Order, _ length: Int) -> [History] {
        var generator = SeededGenerator(seed: order.seed, purpose: 1)
        let kinds = History.Kind.allCases.filter(order.kinds.contains).map { (value: $0, weight: Self.weights[$0] ?? 1) }
        // Such as nobody tells from the first bytes: what was declared stays.
        let types = ["video/mp4", "application/vnd.prove"]
        return (0..<order.uploads).map { number in
            let kind = generator.pick(kinds) ?? .committed
            let size =
                switch Int.random(in: 0..<1_000, using: &generator) {
                case ..<40: 0
                case ..<46: Int.random(in: Self.largestCopy + 1...2 * Self.largestCopy, using: &generator)
                case ..<200: Int.random(in: 1...64 << 10, using: &generator)
                default: 1_024
                }
            return History(
                number: number,
                kind: kind,
                // Nothing cannot be changed into something else of its size.
                size: kind.postsOthers ? max(size, 32) : size,
                start: length * number / max(1, order.uploads) + Int.random(in: 0..<50, using: &generator),
                // Often at once, sometimes so much later that workers and sweeps come in between.
                pause: Int.random(in: 0..<3, using: &generator) == 0
                    ? Int.random(in: 0..<12_000, using: &generator) : Int.random(in: 0..<400, using: &generator),
                // Some want a key that others want, too.
                filename: Int.random(in: 0..<4, using: &generator) == 0
                    ? "shared-\(Int.random(in: 0..<20, using: &generator)).bin"
                    : "f\(number)-\(Int.random(in: 0..<1_000_000, using: &generator)).bin",
                contentType: types[Int.random(in: 0..<types.count, using: &generator)]
            )
        }
        .sorted { ($0.start, $0.number) < ($1.start, $1.number) }
    }

    // MARK: Strikes

    private static func strikes(_ order: Order, _ length: Int) -> [Strike] {
        var generator = SeededGenerator(seed: order.seed, purpose: 2)
        let killed = [Strike.Kind.killWorker, .killWeb].filter(order.faults.contains)
        var strikes: [Strike] = []
        if !killed.isEmpty {
            for number in 0..<order.kills {
                // Every fifth is one of the web process.
                let kind = killed[killed.count > 1 && number % 5 != 4 ? 0 : killed.count - 1]
                let slot = length / max(1, order.kills)
                strikes.append(
                    Strike(
                        kind: kind,
                        start: slot * number + Int.random(in: 0..<max(1, slot), using: &generator),
                        duration: 0,
                        target: Int.random(in: 0..<1_000, using: &generator)
                    )
                )
            }
        }
        let others = Strike.Kind.allCases.filter { order.faults.contains($0) && !$0.isKill }
        let chances = others.map { (value: $0, weight: $0.chance.weight) }
        // Each at least once, as far as there is time, and then by chance.
        var due = others.shuffled(using: &generator)
        var start = Int.random(in: 1...max(2, order.calm), using: &generator)
        while !others.isEmpty, start < length {
            guard let kind = due.popLast() ?? generator.pick(chances) else { break }
            strikes.append(
                Strike(
                    kind: kind,
                    start: start,
                    duration: Int.random(in: kind.chance.duration, using: &generator),
                    target: Int.random(in: 0..<1_000, using: &generator)
                )
            )
            start += Int.random(in: 1...max(2, 2 * order.calm), using: &generator)
        }
        return strikes.sorted { ($0.start, $0.kind.rawValue, $0.target) < ($1.start, $1.kind.rawValue, $1.target) }
    }
}
