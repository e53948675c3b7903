import S3File

extension DashboardPage {
    /// How everything stands. What the script keeps current is one element; the notice and the heading are not in it.
    static func overview(_ overview: Overview, mayChange: Bool, notice: Notice?) -> DashboardPage {
        DashboardPage(
            title: "Overview",
            root: "",
            place: .overview,
            notice: notice,
            content: """
                <div class="dash-top">
                <h1>Overview</h1>
                <p class="dash-seen"><span data-live-state>As of</span> <time data-live-time datetime="\(Wording.iso(overview.readAt))">\
                \(Wording.clock(overview.readAt))</time> UTC. <a href="./">Refresh</a></p>
                </div>
                <div data-live="events">
                \(OverviewDrawing(overview: overview, mayChange: mayChange).html)</div>

                """
        )
    }
}

/// The part of the overview that changes.
struct OverviewDrawing: Sendable {
    let overview: Overview
    let mayChange: Bool

    var html: HTML {
        """
        \(self.concerns)\(self.figures)\(self.queues)\(self.failures)\(self.buckets)\(self.workers)\(self.more)
        """
    }

    // MARK: What needs somebody

    private static let mostConcerns = 12

    private var concerns: HTML {
        let concerns = self.overview.concerns
        guard !concerns.isEmpty else {
            return """
                <section class="dash-state" data-key="state" aria-labelledby="state" data-well>
                <h2 id="state">All is well</h2>
                </section>

                """
        }
        let items = concerns.prefix(Self.mostConcerns).map { concern -> HTML in
            "<li data-key=\"\(concern.key)\"><a href=\"#\(concern.table)\">\(concern.sentence)</a></li>\n"
        }
        let more: HTML? =
            concerns.count > Self.mostConcerns
            ? "<li data-key=\"more\">and \(concerns.count - Self.mostConcerns) more.</li>\n" : nil
        return """
            <section class="dash-state" data-key="state" aria-labelledby="state">
            <h2 id="state">\(concerns.count == 1 ? "One thing needs" : "\(concerns.count) things need") a look</h2>
            <ul>
            \(items)\(more)</ul>
            </section>

            """
    }

    // MARK: Figures

    private var figures: HTML {
        let overview = self.overview
        let rates = overview.rates
        let due = overview.queues.reduce(0) { $0 + $1.due }
        let later = overview.queues.reduce(0) { $0 + $1.later }
        let moving = overview.queues.reduce(0) { $0 + $1.moving }
        let about: HTML = overview.queues.contains(where: \.isEstimated) ? "about " : ""
        let oldest = overview.queues.map(\.oldestSeconds).max() ?? 0
        let stored = rates.stored.first ?? 0
        return """
            <section data-key="figures" aria-labelledby="figures">
            <h2 id="figures" class="dash-hidden">Figures</h2>
            <dl class="dash-figures">
            \(self.figure("Due", "\(about)\(Wording.number(due))", due > 0 ? "the oldest for \(Wording.age(oldest))" : "nothing waits"))\
            \(self.figure("For later", "\(about)\(Wording.number(later))", "held, or to be tried again"))\
            \(self.figure("Moving", "\(Wording.number(moving))", "\(self.slots)"))\
            \(self.figure("Stored", "\(Wording.number(stored))<small> in the last minute</small>", "\(self.bytes) · \(Wording.number(rates.storedInAll)) in \(rates.span)"))\
            \(self.figure("Failed", "\(Wording.number(rates.failed.first ?? 0))<small> in the last minute</small>", "\(Wording.number(rates.failedInAll)) in \(rates.span)"))\
            \(self.figure("Time to stored", self.timeToStored, self.slowest))\
            </dl>
            \(RateBars(rates: rates).html)</section>

            """
    }

    private func figure(_ title: String, _ value: HTML, _ note: HTML) -> HTML {
        "<div data-key=\"\(title)\"><dt>\(title)</dt><dd class=\"dash-value\">\(value)</dd><dd class=\"dash-note\">\(note)</dd></div>\n"
    }

    private var slots: String {
        let slots = self.overview.workers.reduce(0) { $0 + Int($1.slots ?? 0) }
        return slots > 0 ? "of \(Wording.number(slots)) at a time" : Wording.count(self.overview.workers.count, "worker")
    }

    private var bytes: String {
        let rates = self.overview.rates
        guard let mean = rates.meanSize, let stored = rates.stored.first, stored > 0 else { return "nothing moved" }
        let bytes = ByteCount(bytes: Int64(min(mean * Double(stored), 9e18)))
        return "\(rates.sampled < rates.storedInAll ? "about " : "")\(bytes)"
    }

    private var timeToStored: HTML {
        "\(self.overview.rates.median.map(Wording.duration) ?? "–")"
    }

    private var slowest: HTML {
        guard let p95 = self.overview.rates.p95 else { return "nothing was stored of late" }
        return "half of them; 95 of 100 in \(Wording.duration(p95))"
    }
}

extension Overview.Rates {
    var storedInAll: Int64 { self.stored.reduce(0, +) }
    var failedInAll: Int64 { self.failed.reduce(0, +) }

    /// What the sums are of.
    var span: String { Wording.age(self.covers) }
}
