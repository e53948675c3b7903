package import S3DevServer

/// All that a verdict is made from: what is there in the end, and what was written down on the way by those who did it.
package struct Evidence: Sendable {
    /// A row of the record.
    package struct Row: Sendable, Hashable {
        package var id: String
        package var status: String
        package var attempt: Int
        package var tmpKey: String
        /// nil of what expired unclaimed.
        package var key: String?
        /// Bare, in lower case.
        package var etag: String
        package var size: Int64
        package var contentType: String
        package var filename: String
        package var errorCode: String?
        /// Microseconds since 1970; when the transaction that ended it began.
        package var finishedAt: Int64?

        package init(
            id: String,
            status: String,
            attempt: Int,
            tmpKey: String,
            key: String?,
            etag: String,
            size: Int64,
            contentType: String,
            filename: String,
            errorCode: String? = nil,
            finishedAt: Int64? = nil
        ) {
            self.id = id
            self.status = status
            self.attempt = attempt
            self.tmpKey = tmpKey
            self.key = key
            self.etag = etag
            self.size = size
            self.contentType = contentType
            self.filename = filename
            self.errorCode = errorCode
            self.finishedAt = finishedAt
        }

        var isEnded: Bool { ["stored", "failed", "cancelled", "expired"].contains(self.status) }
    }

    /// An entry of the event log.
    package struct Event: Sendable, Hashable, CustomStringConvertible {
        package var number: Int64
        package var upload: String
        package var status: String
        package var attempt: Int
        package var worker: Int64?
        /// When its transaction committed: microseconds since 1970.
        package var committedAt: Int64

        package init(number: Int64, upload: String, status: String, attempt: Int, worker: Int64? = nil, committedAt: Int64) {
            self.number = number
            self.upload = upload
            self.status = status
            self.attempt = attempt
            self.worker = worker
            self.committedAt = committedAt
        }

        package var description: String {
            "event \(self.number): \(self.status), attempt \(self.attempt), worker \(self.worker.map(String.init) ?? "none"), at \(self.committedAt)"
        }
    }

    /// An object as it lies in the store.
    package struct Object: Sendable, Hashable {
        package var key: String
        package var size: Int64
        /// Of the bytes as they were read, in lower case.
        package var md5: String
        package var contentType: String?
        package var contentDisposition: String?
        /// The upload that the copy says it is of.
        package var stamp: String?

        package init(
            key: String,
            size: Int64,
            md5: String,
            contentType: String? = nil,
            contentDisposition: String? = nil,
            stamp: String? = nil
        ) {
            self.key = key
            self.size = size
            self.md5 = md5
            self.contentType = contentType
            self.contentDisposition = contentDisposition
            self.stamp = stamp
        }
    }

    package var testimonies: [Testimony]
    package var rows: [Row]
    /// In the order of their numbers.
    package var events: [Event]
    /// Jobs that still wait or move.
    package var jobs: [String]
    /// Uploads whose tmp object still waits to be deleted.
    package var deletionsLeft: [String]
    package var objects: [Object]
    package var journal: [StoreJournal.Entry]
    /// What lay in the bucket before, which nobody may touch: the MD5 by key.
    package var sentinels: [String: String]
    /// Of tmp keys, with its slash.
    package var tmpPrefix: String
    /// Whether tmp objects are old enough to be swept; else what nobody claimed is still there.
    package var isSwept: Bool
    /// In microseconds since 1970: before it no tmp object of a failed upload may go. Nil when that is not known.
    package var failedAreKeptUntil: Int64?
    /// Uploads that wait for another attempt longer than any backoff is.
    package var waitingTooLong: [String]

    package init(
        testimonies: [Testimony],
        rows: [Row],
        events: [Event],
        jobs: [String] = [],
        deletionsLeft: [String] = [],
        objects: [Object],
        journal: [StoreJournal.Entry],
        sentinels: [String: String],
        tmpPrefix: String,
        isSwept: Bool = true,
        failedAreKeptUntil: Int64? = nil,
        waitingTooLong: [String] = []
    ) {
        self.testimonies = testimonies
        self.rows = rows
        self.events = events
        self.jobs = jobs
        self.deletionsLeft = deletionsLeft
        self.objects = objects
        self.journal = journal
        self.sentinels = sentinels
        self.tmpPrefix = tmpPrefix
        self.isSwept = isSwept
        self.failedAreKeptUntil = failedAreKeptUntil
        self.waitingTooLong = waitingTooLong
    }

    /// Where workers ask a store what it honours; nobody's file lies there.
    func isProbe(_ key: String) -> Bool { key.contains("/.capabilities/") }
    func isTmp(_ key: String) -> Bool { key.hasPrefix(self.tmpPrefix) && !self.isProbe(key) }
}
