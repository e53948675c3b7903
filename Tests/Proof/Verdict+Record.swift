/// What the clients were told against the record, and the record against itself.
extension Verdict {
    /// Kinds whose file nobody withdraws or replaces: once enqueued they are stored, whatever happens.
    private static let mustBeStored: Set<History.Kind> = [
        .committed, .transaction, .released, .forgotten, .postedTwice, .late, .retried,
    ]

    mutating func judgeTestimonies() {
        for told in self.evidence.testimonies {
            let row = self.rowsByTmpKey[told.tmpKey]
            for id in told.committed {
                self.check(
                    .committedIsKept,
                    row?.id == id,
                    told.tmpKey,
                    "enqueued as \(id), and the record has \(row?.id ?? "nothing") there"
                )
            }
            if told.isPromised, Self.mustBeStored.contains(told.kind) {
                self.check(
                    .committedIsStored,
                    row?.status == "stored",
                    told.tmpKey,
                    "\(told.kind.rawValue), and it is \(row?.status ?? "gone") (\(row?.errorCode ?? "no error"))"
                )
            }
            if told.kind.postsOthers, !told.committed.isEmpty, let row {
                self.check(
                    .committedIsStored,
                    row.status == "stored" || (row.status == "failed" && row.errorCode == "source_changed"),
                    row.id,
                    "changed after it was verified, and it is \(row.status) (\(row.errorCode ?? "no error"))"
                )
            }
            if told.kind == .mended, let row, self.wasRetriedAfterFailing(row.id) {
                // The first bytes lay there again by then.
                self.check(.committedIsStored, row.status == "stored", row.id, "mended and retried, and it is \(row.status)")
            }
            if told.kind == .cancelled, told.isCancelled {
                self.check(
                    .withdrawnHasNone,
                    row?.status == "cancelled",
                    told.tmpKey,
                    "cancelled under a hold, and it is \(row?.status ?? "gone")"
                )
            }
            if told.isSurelyNone {
                self.check(
                    .withdrawnHasNone,
                    row == nil || row?.status == "expired",
                    told.tmpKey,
                    "nothing of it was enqueued, and the record has it as \(row?.status ?? "")"
                )
            }
            for case .rolledBack(let id) in told.answers {
                let copies = self.evidence.objects.count { $0.stamp == id }
                self.check(
                    .withdrawnHasNone,
                    copies == 0 || row?.id == id,
                    id,
                    "rolled back, and there are \(copies) objects of it"
                )
            }
        }
    }

    private func wasRetriedAfterFailing(_ id: String) -> Bool {
        let statuses = (self.eventsByUpload[id] ?? []).map(\.status)
        return zip(statuses, statuses.dropFirst()).contains { $0 == "failed" && $1 == "queued" }
    }

    mutating func judgeRows() {
        let waiting = Set(self.evidence.jobs)
        for row in self.evidence.rows {
            self.check(.everythingEnds, row.isEnded && !waiting.contains(row.id), row.id, "it is \(row.status)")
            let events = self.eventsByUpload[row.id] ?? []
            if row.status == "cancelled", !events.contains(where: { $0.status == "moving" }) {
                self.check(
                    .withdrawnHasNone,
                    !self.evidence.objects.contains { $0.stamp == row.id },
                    row.id,
                    "cancelled before it moved, and there is an object of it"
                )
            }
        }
        for id in self.evidence.waitingTooLong {
            self.check(.everythingEnds, false, id, "after the last fault it would have waited for more than an hour")
        }
        for id in waiting where self.rowsByID[id] == nil {
            self.check(.everythingEnds, false, id, "a job without a row")
        }
        for id in self.evidence.deletionsLeft {
            self.check(.tmpIsGone, false, id, "its tmp object is still noted as to be deleted")
        }
    }

    // MARK: Events

    /// Where an upload stands between two events.
    private struct Standing {
        var status = "queued"
        var attempt = 0
        var worker: Int64?
    }

    mutating func judgeEvents() {
        for (id, events) in self.eventsByUpload.sorted(by: { $0.key < $1.key }) {
            var now = Standing()
            for event in events {
                let wrong = Self.wrong(event, after: now)
                self.check(.statusesMoveForward, wrong == nil, id, "\(event) \(wrong ?? "")")
                now = Standing(status: event.status, attempt: event.attempt, worker: event.worker)
            }
            guard let row = self.rowsByID[id] else {
                self.check(.statusesMoveForward, false, id, "events of an upload that the record does not have")
                continue
            }
            self.check(
                .statusesMoveForward,
                now.status == row.status || (now.status == "moving" && row.status == "queued"),
                id,
                "its last event is \(now.status), and the record says \(row.status)"
            )
        }
        for row in self.evidence.rows where row.isEnded && row.status != "expired" {
            self.check(.statusesMoveForward, self.eventsByUpload[row.id] != nil, row.id, "it ended without any event")
        }
    }

    /// What is wrong with an event; nil of one that may follow.
    private static func wrong(_ event: Evidence.Event, after now: Standing) -> String? {
        switch (now.status, event.status) {
        case ("queued", "moving"):
            guard event.worker != nil else { return "begins an attempt by nobody" }
            return event.attempt == now.attempt + 1 ? nil : "begins attempt \(event.attempt) after \(now.attempt)"
        case ("moving", "stored"):
            return (event.attempt, event.worker) == (now.attempt, now.worker)
                ? nil : "stores attempt \(now.attempt) of worker \(now.worker.map(String.init) ?? "none")"
        case ("moving", "failed"), ("moving", "cancelled"), ("moving", "queued"):
            // Taken back from a dead worker it is nobody's.
            return event.attempt == now.attempt && (event.worker == nil || event.worker == now.worker)
                ? nil : "ends attempt \(now.attempt) of worker \(now.worker.map(String.init) ?? "none")"
        case ("queued", "cancelled"), ("failed", "queued"), ("cancelled", "queued"):
            return event.attempt == now.attempt ? nil : "says attempt \(event.attempt) after \(now.attempt)"
        default:
            return "comes after \(now.status)"
        }
    }
}
