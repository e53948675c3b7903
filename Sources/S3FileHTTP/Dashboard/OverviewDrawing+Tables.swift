import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension OverviewDrawing {
    // MARK: Queues

    var queues: HTML {
        var columns: [DashboardTable.Column] = [
            .text("Queue"), .text("State"), .number("Due"), .number("Oldest due"), .number("For later"), .number("Moving"),
        ]
        if self.mayChange { columns.append(.buttons("Pause or resume")) }
        return DashboardTable(
            id: "queues",
            caption: "Queues",
            columns: columns,
            rows: self.overview.queues.map { queue in
                let about = queue.isEstimated ? "~" : ""
                var cells: [HTML] = [
                    "<a href=\"uploads?queue=\(Wording.query(queue.queue))\"><bdi>\(queue.queue)</bdi></a>",
                    Self.state(queue.isPaused ? ("Paused", "slow") : ("Open", "well")),
                    "\(about)\(Wording.number(queue.due))",
                    "\(queue.due > 0 ? Wording.age(queue.oldestSeconds) : "–")",
                    "\(about)\(Wording.number(queue.later))",
                    "\(Wording.number(queue.moving))",
                ]
                if self.mayChange {
                    cells.append(
                        Self.button(
                            queue.isPaused ? "Resume" : "Pause",
                            of: queue.queue,
                            action: queue.isPaused ? "queues/resume" : "queues/pause",
                            field: ("queue", queue.queue)
                        )
                    )
                }
                return DashboardTable.Row(key: queue.queue, cells: cells)
            },
            empty: "There is no queue."
        ).html
    }

    // MARK: Failures

    var failures: HTML {
        var columns: [DashboardTable.Column] = [
            .text("Error"), .number("Failed"), .number("Will try again"), .text("The newest"), .text("What it says"),
        ]
        if self.mayChange { columns.append(.buttons("Retry all")) }
        return DashboardTable(
            id: "failures",
            caption: "What goes wrong",
            columns: columns,
            rows: self.overview.failures.map { group in
                let more = group.isWhole ? "" : "+"
                let link: HTML = "uploads/\(group.newest.uuidString.lowercased())"
                let advice = group.isRetryable ? "Another try may help." : "Something has to be changed first."
                var cells: [HTML] = [
                    "<a href=\"uploads?code=\(Wording.query(group.code))\"><bdi>\(group.code)</bdi></a>",
                    "\(Wording.number(group.failed))\(group.failed > 0 ? more : "")",
                    "\(Wording.number(group.trying))\(group.trying > 0 ? more : "")",
                    "<a href=\"\(link)\">\(Wording.ago(group.newestAt, now: self.overview.readAt))</a>",
                    "<span class=\"dash-message\">\(Self.beginning(group.message ?? ""))</span> <span class=\"dash-quiet\">\(advice)</span>",
                ]
                if self.mayChange {
                    cells.append(
                        group.failed > 0
                            ? Self.button("Retry all", of: group.code, action: "failures/retry", field: ("code", group.code)) : ""
                    )
                }
                return DashboardTable.Row(key: group.code, cells: cells)
            },
            empty: "Nothing has failed, and nothing waits for another try."
        ).html
    }

    /// So much as a table has room for.
    static func beginning(_ text: String) -> String {
        text.count <= 240 ? text : "\(text.prefix(240))…"
    }

    // MARK: Buckets

    var buckets: HTML {
        DashboardTable(
            id: "buckets",
            caption: "Buckets",
            columns: [.text("Bucket"), .text("State"), .number("Workers"), .text("What they say")],
            rows: self.overview.buckets.map { bucket in
                DashboardTable.Row(
                    key: bucket.bucket,
                    cells: ["<bdi>\(bucket.bucket)</bdi>"] + self.say(bucket)
                )
            },
            empty: "Nothing was ever stored, so there is no bucket to tell of."
        ).html
    }

    private func say(_ bucket: Overview.BucketReading) -> [HTML] {
        let workers = self.overview.workers.count
        if bucket.refusedBy > 0 {
            let since: HTML? = bucket.refusedSince.map { ", for \(Wording.span(since: $0, now: self.overview.readAt))" }
            return [
                Self.state(("Refuses", "bad")), "\(bucket.refusedBy) of \(workers)",
                """
                <span class="dash-message"><bdi>\(bucket.code ?? "")</bdi>\(since). Uploads for it wait, and each minute one try shows whether \
                that is mended.</span>
                """,
            ]
        }
        if bucket.slowedFor > 0 {
            return [
                Self.state(("Slowed", "slow")), "\(bucket.slowedFor) of \(workers)",
                """
                <span class="dash-message">It asked for fewer requests: \(Wording.number(bucket.limit ?? 0)) at a time by now, after \
                \(Wording.number(bucket.most ?? 0)).</span>
                """,
            ]
        }
        return [Self.state(("Flows", "well")), "\(workers)", "<span class=\"dash-quiet\">Takes what it is sent.</span>"]
    }

    // MARK: Workers

    var workers: HTML {
        let now = self.overview.readAt
        return DashboardTable(
            id: "workers",
            caption: "Workers",
            columns: [
                .text("Worker"), .text("State"), .number("Moving"), .text("Host"), .text("Version"), .text("Queues"),
                .text("Last heard"), .text("Began"),
            ],
            rows: self.overview.workers.map { worker in
                let state =
                    worker.expiresAt <= now
                    ? ("Silent", "bad") : worker.isDraining ? ("Ending", "slow") : ("Works", "well")
                let slots = worker.slots.map { " of \(Wording.number($0))" } ?? ""
                return DashboardTable.Row(
                    key: String(worker.id),
                    cells: [
                        "\(worker.id)", Self.state(state), "\(Wording.number(worker.moving))\(slots)",
                        "<bdi>\(worker.host)</bdi> <span class=\"dash-quiet\">\(worker.pid)</span>", "\(worker.version)",
                        "\(worker.queues?.joined(separator: ", ") ?? "all")",
                        Wording.ago(worker.seenAt, now: now), Wording.ago(worker.startedAt, now: now),
                    ]
                )
            },
            empty: "No worker runs: what is due waits. Start one with <code>s3file worker</code>."
        ).html
    }

    // MARK: Upkeep

    var more: HTML {
        let upkeep = self.overview.upkeep
        let tasks = upkeep.overdue.sorted { $0.key < $1.key }.map { task, seconds -> HTML in
            let when = seconds > 0 ? "due for \(Wording.age(seconds))" : "due in \(Wording.age(-seconds))"
            return "<div data-key=\"\(task)\"><dt>\(Self.names[task] ?? task)</dt><dd>\(when)</dd></div>\n"
        }
        let batches: HTML =
            upkeep.tmpBatches > 0
            ? "\(Wording.count(upkeep.tmpBatches, "batch", "batches")) of stored uploads wait for their tmp objects to be deleted."
            : "All tmp objects of stored uploads are deleted."
        return """
            <details class="dash-block" id="upkeep" data-key="upkeep">
            <summary>Upkeep</summary>
            <dl class="dash-facts">
            \(tasks)</dl>
            <p>\(batches)</p>
            </details>

            """
    }

    private static let names = [
        "sweep": "Look for stale tmp objects", "reap": "Look for dead workers", "prune": "Forget old records",
        "moves": "Give up abandoned copies", "tmp": "Delete tmp objects that were left",
    ]

    // MARK: Parts

    /// By a word and a colour.
    static func state(_ state: (word: String, kind: String)) -> HTML {
        "<span class=\"dash-badge\" data-kind=\"\(state.kind)\">\(state.word)</span>"
    }

    /// A form of one button, whose name says what it is about.
    static func button(_ word: String, of subject: String, action: String, field: (name: String, value: String)) -> HTML {
        """
        <form method="post" action="\(action)"><input type="hidden" name="\(field.name)" value="\(field.value)">\
        <button>\(word)<span class="dash-hidden"> \(subject)</span></button></form>
        """
    }
}
