import S3DevServer

@testable import Proof

/// A run in which all went well, to be doctored: one upload of each end, and what the store did.
struct Scene {
    var evidence: Evidence

    static let stored = "01900000-0000-7000-8000-000000000001"
    static let cancelled = "01900000-0000-7000-8000-000000000002"
    static let rolledBack = "01900000-0000-7000-8000-000000000003"
    static let prefix = "tmp/s3file/"

    static func tmpKey(_ number: Int) -> String { "\(Self.prefix)folder/\(number)-0" }

    private static func history(_ number: Int, _ kind: History.Kind) -> History {
        History(number: number, kind: kind, size: 3, start: 0, pause: 0, filename: "f\(number).bin", contentType: "image/png")
    }

    private static func told(_ number: Int, _ kind: History.Kind, _ answers: [Testimony.Answer]) -> Testimony {
        var told = Testimony(history: self.history(number, kind), tmpKey: self.tmpKey(number))
        told.posted = ["md5-\(number)"]
        told.answers = answers
        return told
    }

    private static func row(_ number: Int, _ id: String, _ status: String, attempt: Int, key: String?) -> Evidence.Row {
        Evidence.Row(
            id: id,
            status: status,
            attempt: attempt,
            tmpKey: self.tmpKey(number),
            key: key,
            etag: "md5-\(number)",
            size: 3,
            contentType: "image/png",
            filename: "f\(number).bin",
            finishedAt: 1_500
        )
    }

    private static func change(_ number: Int, _ at: Int64, _ change: StoreJournal.Entry.Change, _ key: String)
        -> StoreJournal.Entry
    {
        StoreJournal.Entry(
            number: number,
            at: at,
            change: change,
            bucket: "b",
            key: key,
            etag: "md5-1",
            metadata: key == "stored/f1.bin" ? ["s3file-upload": self.stored] : [:]
        )
    }

    init() {
        let event = { (number: Int64, id: String, status: String, attempt: Int, worker: Int64?, at: Int64) in
            Evidence.Event(number: number, upload: id, status: status, attempt: attempt, worker: worker, committedAt: at)
        }
        self.evidence = Evidence(
            testimonies: [
                Self.told(1, .committed, [.unknown, .committed(upload: Self.stored, key: "stored/f1.bin")]),
                Self.told(
                    2,
                    .cancelled,
                    [.committed(upload: Self.cancelled, key: "stored/f2.bin"), .cancelled(upload: Self.cancelled)]
                ),
                Self.told(3, .rolledBack, [.rolledBack(upload: Self.rolledBack)]),
                Self.told(4, .unclaimed, []),
            ],
            rows: [
                Self.row(1, Self.stored, "stored", attempt: 2, key: "stored/f1.bin"),
                Self.row(2, Self.cancelled, "cancelled", attempt: 0, key: "stored/f2.bin"),
                Self.row(3, "e3", "expired", attempt: 0, key: nil),
                Self.row(4, "e4", "expired", attempt: 0, key: nil),
            ],
            events: [
                event(1, Self.stored, "moving", 1, 7, 1_000),
                event(2, Self.stored, "queued", 1, nil, 1_100),
                event(3, Self.stored, "moving", 2, 8, 1_200),
                event(4, Self.cancelled, "cancelled", 0, nil, 1_300),
                event(5, Self.stored, "stored", 2, 8, 1_400),
            ],
            objects: [
                Evidence.Object(
                    key: "stored/f1.bin",
                    size: 3,
                    md5: "md5-1",
                    contentType: "image/png",
                    contentDisposition: "inline; filename=\"f1.bin\"; filename*=UTF-8''f1.bin",
                    stamp: Self.stored
                ),
                Evidence.Object(key: "other", size: 1, md5: "md5-1"),
            ],
            journal: [
                Self.change(1, 100, .put, "other"), Self.change(2, 200, .put, Self.tmpKey(1)),
                Self.change(3, 200, .put, Self.tmpKey(2)), Self.change(4, 200, .put, Self.tmpKey(3)),
                Self.change(5, 200, .put, Self.tmpKey(4)), Self.change(6, 1_300, .put, "stored/f1.bin"),
                Self.change(7, 1_600, .delete, Self.tmpKey(1)), Self.change(8, 1_600, .delete, Self.tmpKey(2)),
                Self.change(9, 1_600, .delete, Self.tmpKey(3)), Self.change(10, 1_600, .delete, Self.tmpKey(4)),
            ],
            sentinels: ["other": "md5-1"],
            tmpPrefix: Self.prefix
        )
    }

    /// Which invariants do not hold.
    var violated: Set<Verdict.Invariant> { Set(Verdict(on: self.evidence).violations.map(\.invariant)) }

    mutating func append(_ at: Int64, _ change: StoreJournal.Entry.Change, _ key: String) {
        self.evidence.journal.append(Self.change(self.evidence.journal.count + 1, at, change, key))
    }
}
