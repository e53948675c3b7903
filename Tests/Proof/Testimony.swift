/// What a client of a run did with one tmp object, and was told about it. What it was told by nobody may have happened or not.
package struct Testimony: Sendable, Hashable, Codable {
    package enum Answer: Sendable, Hashable, Codable {
        /// It was told that this upload is enqueued: the transaction has committed.
        case committed(upload: String, key: String)
        /// The transaction that would have enqueued this upload has not committed.
        case rolledBack(upload: String)
        /// It was told that this was not taken, and why.
        case refused(String)
        /// Nobody answered, or what answered knew nothing.
        case unknown
        /// It was told that the upload is cancelled.
        case cancelled(upload: String)
        /// It asked for the upload to be taken up again, and was told that it is.
        case retried(upload: String)
    }

    package var history: Int
    package var kind: History.Kind
    package var tmpKey: String
    package var filename: String
    package var contentType: String
    /// The MD5 of each content that was posted under the key, answered or not: bare, in lower case.
    package var posted: [String]
    package var answers: [Answer] = []

    package init(history: History, tmpKey: String) {
        self.history = history.number
        self.kind = history.kind
        self.tmpKey = tmpKey
        self.filename = history.filename
        self.contentType = history.contentType
        self.posted = []
    }

    /// The uploads that it was told are enqueued.
    package var committed: [String] {
        self.answers.compactMap { if case .committed(let upload, _) = $0 { upload } else { nil } }
    }

    /// Whether the last that it was told for certain is that the file will be stored.
    package var isPromised: Bool {
        for answer in self.answers.reversed() {
            switch answer {
            case .committed, .retried: return true
            case .cancelled, .rolledBack: return false
            case .refused, .unknown: continue
            }
        }
        return false
    }

    /// Whether it was told that the upload is cancelled, and nothing after that.
    package var isCancelled: Bool { if case .cancelled = self.answers.last { true } else { false } }

    /// Whether nothing of it can have been enqueued.
    package var isSurelyNone: Bool {
        self.answers.allSatisfy {
            switch $0 {
            case .rolledBack, .refused: true
            default: false
            }
        }
    }
}
