import S3DevServer

/// The record against what lies in the store, and against what was done there.
extension Verdict {
    // MARK: Objects

    mutating func judgeObjects() {
        let testimonies = Dictionary(self.evidence.testimonies.map { ($0.tmpKey, $0) }) { first, _ in first }
        let stored = self.evidence.objects.filter {
            !self.evidence.isProbe($0.key) && !self.evidence.isTmp($0.key) && self.evidence.sentinels[$0.key] == nil
        }
        let byStamp = Dictionary(grouping: stored, by: { $0.stamp ?? "" })
        for row in self.evidence.rows where row.status == "stored" {
            let objects = byStamp[row.id] ?? []
            self.check(
                .storedHasObject,
                objects.count == 1 && objects.first?.key == row.key,
                row.id,
                "\(objects.count) objects are of it, at \(objects.map(\.key))"
            )
            guard let object = objects.first else { continue }
            let told = testimonies[row.tmpKey]
            let wrong = Self.wrong(object, of: row, told)
            self.check(.storedHasObject, wrong.isEmpty, row.id, wrong.joined(separator: "; "))
        }
        for object in stored {
            let row = object.stamp.flatMap { self.rowsByID[$0] }
            let hasMoved = row.map { (self.eventsByUpload[$0.id] ?? []).contains { $0.status == "moving" } } ?? false
            if let row, row.status == "cancelled" || row.status == "failed", hasMoved,
                !self.evidence.isSwept || self.cameLate(object.key, of: row)
            {
                // An attempt had copied it, and then the upload was withdrawn. The copy goes with the tmp object, if it was there by then.
                self.remark("copies of uploads that were \(row.status) while they moved", row.id)
                continue
            }
            self.check(
                .objectsAreOfStored,
                row?.status == "stored" && row?.key == object.key,
                object.stamp ?? object.key,
                "\(object.key) says it is of \(object.stamp ?? "nobody"), which is \(row?.status ?? "not in the record")"
            )
        }
        for object in self.evidence.objects where self.evidence.isTmp(object.key) {
            guard self.mustBeGone(object.key, testimonies[object.key]) else { continue }
            self.check(.tmpIsGone, false, object.key, "it is still there")
        }
    }

    /// Whether a copy came when the tmp object was gone: on its way since before, or sent by a worker that had been stopped.
    private func cameLate(_ key: String, of row: Evidence.Row) -> Bool {
        guard let gone = self.changesByKey[row.tmpKey]?.last(where: { $0.change == .delete }),
            let put = self.changesByKey[key]?.last(where: { $0.change == .put })
        else { return false }
        return put.at > gone.at
    }

    /// Without a sweep only what was stored takes its tmp object with it, unless somebody puts another one there afterwards.
    private func mustBeGone(_ tmpKey: String, _ told: Testimony?) -> Bool {
        self.evidence.isSwept || (self.rowsByTmpKey[tmpKey]?.status == "stored" && told?.kind.postsOthers != true)
    }

    private static func wrong(_ object: Evidence.Object, of row: Evidence.Row, _ told: Testimony?) -> [String] {
        var wrong: [String] = []
        if object.md5 != row.etag { wrong.append("its bytes have \(object.md5), and verified was \(row.etag)") }
        if object.size != row.size { wrong.append("it has \(object.size) bytes, and verified were \(row.size)") }
        if object.contentType != row.contentType {
            wrong.append("its type is \(object.contentType ?? "none"), and verified was \(row.contentType)")
        }
        guard let told else { return wrong + ["nobody posted it"] }
        if !told.posted.contains(object.md5) { wrong.append("nobody ever posted these bytes") }
        if told.contentType != object.contentType { wrong.append("posted as \(told.contentType)") }
        if told.filename != row.filename { wrong.append("it is called \(row.filename), and was posted as \(told.filename)") }
        if object.contentDisposition?.contains("\"\(told.filename)\"") != true {
            wrong.append("its disposition is \(object.contentDisposition ?? "none")")
        }
        return wrong
    }

    // MARK: Changes

    mutating func judgeJournal() {
        var begun: Set<String> = []
        for entry in self.evidence.journal where !self.evidence.isProbe(entry.key) {
            if self.evidence.isTmp(entry.key) {
                if entry.change == .delete { self.judge(tmpDeletion: entry) }
                begun.insert(entry.key)
            } else if self.evidence.sentinels[entry.key] != nil {
                self.check(
                    .nothingElseIsTouched,
                    begun.insert(entry.key).inserted,
                    entry.key,
                    "\(entry.change.rawValue), at \(entry.at)"
                )
            } else if let row = self.rowsByKey[entry.key] {
                self.judge(destination: entry, of: row)
            } else {
                self.check(.nothingElseIsTouched, false, entry.key, "\(entry.change.rawValue), and it is nobody's key")
            }
        }
        let objects = Dictionary(self.evidence.objects.map { ($0.key, $0.md5) }) { first, _ in first }
        for (key, md5) in self.evidence.sentinels.sorted(by: { $0.key < $1.key }) {
            self.check(.nothingElseIsTouched, objects[key] == md5, key, "it is not what it was")
        }
        for told in self.evidence.testimonies where begun.contains(told.tmpKey) && self.mustBeGone(told.tmpKey, told) {
            self.check(.tmpIsGone, objects[told.tmpKey] == nil, told.tmpKey, "it is still there")
        }
    }

    /// By the commits of the record and the changes of the store, both by the one clock of one machine.
    private mutating func judge(tmpDeletion entry: StoreJournal.Entry) {
        guard let row = self.rowsByTmpKey[entry.key] else {
            self.check(.tmpOutlivesItsUpload, false, entry.key, "deleted at \(entry.at), and the record knows nothing of it")
            return
        }
        let last = (self.eventsByUpload[row.id] ?? []).last { $0.committedAt <= entry.at }
        let ended = last.map { $0.status == "stored" || self.isGivenUp(row, $0, at: entry.at) } ?? false
        let expired = row.status == "expired" && row.finishedAt.map { $0 <= entry.at } ?? false
        self.check(
            .tmpOutlivesItsUpload,
            ended || expired,
            row.id,
            "its tmp object was deleted at \(entry.at), when it was \(last?.status ?? "queued")"
        )
    }

    /// Whether an upload that ended otherwise than stored is over for good. Others keep their bytes for a week, in which they may be retried.
    private func isGivenUp(_ row: Evidence.Row, _ last: Evidence.Event, at time: Int64) -> Bool {
        switch last.status {
        case "cancelled": true
        case "failed": row.errorCode == "source_changed" || self.evidence.failedAreKeptUntil.map { $0 <= time } ?? true
        default: false
        }
    }

    /// Until an upload is stored its own attempts may repeat a copy; after that nobody may. None of them takes a copy back: only the sweep does.
    private mutating func judge(destination entry: StoreJournal.Entry, of row: Evidence.Row) {
        let storedAt = (self.eventsByUpload[row.id] ?? []).first { $0.status == "stored" }?.committedAt
        let isLate = storedAt.map { $0 < entry.at } ?? false
        switch entry.change {
        case .delete:
            let last = (self.eventsByUpload[row.id] ?? []).last { $0.committedAt <= entry.at }
            self.check(
                .nothingIsOverwritten,
                !isLate && last.map { self.isGivenUp(row, $0, at: entry.at) } ?? false,
                row.id,
                "its object was deleted at \(entry.at), when it was \(last?.status ?? "queued")"
            )
        case .put:
            self.check(
                .nothingIsOverwritten,
                !isLate,
                row.id,
                "its object was put again at \(entry.at), with \(entry.etag) over \(entry.replaced ?? "nothing")"
            )
            // Not every store's journal tells metadata; that of the object which is there in the end is looked at above.
            if let metadata = entry.metadata {
                let stamp = metadata["s3file-upload"]
                self.check(.nothingIsOverwritten, stamp == row.id, row.id, "an object of \(stamp ?? "nobody") was put at its key")
            }
            if entry.replaced != nil, !isLate {
                self.remark("copies that a later attempt made again before it was stored", row.id)
            }
        }
    }
}
