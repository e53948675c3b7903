import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension DashboardPage {
    /// All that is known of one upload. Nothing on it opens the file: no token, no signed address.
    static func upload(_ dossier: Dossier, mayChange: Bool, notice: Notice?, root: String) -> DashboardPage {
        let upload = dossier.upload
        let drawing = DossierDrawing(dossier: dossier, root: root)
        return DashboardPage(
            title: UploadList.name(of: upload),
            root: root,
            place: .elsewhere,
            notice: notice,
            content: """
                <div class="dash-top">
                <h1><bdi>\(UploadList.name(of: upload))</bdi></h1>
                <p class="dash-seen">As of \(Wording.time(dossier.readAt)) UTC. <a href="\(root)uploads/\(upload.id.uuidString.lowercased())">Refresh</a></p>
                </div>
                <p class="dash-now">\(Wording.badge(upload.status)) \(drawing.now)</p>
                \(drawing.error)\(mayChange ? drawing.buttons : "")\(drawing.timeline)\(drawing.facts)
                """
        )
    }
}

/// The parts of an upload's page.
struct DossierDrawing: Sendable {
    let dossier: Dossier
    let root: String

    private var upload: Upload { self.dossier.upload }
    private var path: String { "\(self.root)uploads/\(self.upload.id.uuidString.lowercased())" }

    /// How it stands, in a sentence.
    var now: HTML {
        let readAt = self.dossier.readAt
        switch self.upload.status {
        case .queued:
            guard let next = self.dossier.nextAttemptAt, next > readAt else { return "Waits for a worker." }
            return self.upload.error == nil
                ? "Held; a worker may take it \(Wording.ago(next, now: readAt))."
                : "Will be tried again \(Wording.ago(next, now: readAt))."
        case .moving:
            let share: HTML? =
                self.upload.progress.copied > 0
                ? " \(ByteCount(bytes: self.upload.progress.copied).description) of \(ByteCount(bytes: self.upload.size).description) are copied."
                : nil
            return "A worker moves it\(self.dossier.cancelRequested ? ", and was asked to stop" : "").\(share)"
        case .stored:
            let seconds = self.upload.storedAt.map { $0.timeIntervalSince(self.upload.createdAt) }
            return "After \(seconds.map(Wording.duration) ?? "some time")."
        case .failed: return "After \(Wording.count(self.upload.attempt, "attempt"))."
        case .cancelled: return "It will not be stored."
        case .expired: return "No form claimed it in time."
        }
    }

    /// What last went wrong.
    var error: HTML {
        guard let error = self.upload.error else { return "" }
        let advice = error.retryable ? "Another try may help." : "Something has to be changed first."
        return """
            <div class="dash-error">
            <p><strong><bdi>\(error.code)</bdi></strong> <span class="dash-quiet">\(advice)</span></p>
            <p><bdi>\(error.message)</bdi></p>
            </div>

            """
    }

    var buttons: HTML {
        switch self.upload.status {
        case .failed, .cancelled:
            self.dossier.tmpIsDeleted
                ? "<p class=\"dash-quiet\">It cannot be taken up again: its bytes are gone.</p>\n"
                : self.button("Retry", "retry")
        case .queued, .moving: self.button("Cancel", "cancel")
        case .stored, .expired: ""
        }
    }

    private func button(_ word: String, _ action: String) -> HTML {
        "<form class=\"dash-action\" method=\"post\" action=\"\(self.path)/\(action)\"><button>\(word)</button></form>\n"
    }

    // MARK: Timeline

    var timeline: HTML {
        var steps: [HTML] = []
        var last = self.upload.createdAt
        steps.append(self.step(.queued, "Enqueued", at: last, after: nil, note: nil))
        for event in self.dossier.events {
            steps.append(
                self.step(
                    event.status,
                    Self.words(event),
                    at: event.at,
                    after: event.at.timeIntervalSince(last),
                    note: event.worker.map { "by worker \($0)" }
                )
            )
            last = event.at
        }
        let gap: HTML? =
            self.dossier.isWhole
            ? nil
            : "<p class=\"dash-quiet\">So much happened to other uploads meanwhile that not all of it was looked through.</p>\n"
        return """
            <section class="dash-block" aria-labelledby="timeline">
            <h2 id="timeline">What happened</h2>
            <ol class="dash-timeline">
            \(steps)</ol>
            \(gap)</section>

            """
    }

    private static func words(_ event: Dossier.Event) -> String {
        switch event.status {
        case .queued: event.attempt == 0 ? "Queued again" : "Back in the queue after attempt \(event.attempt)"
        case .moving: "Taken, attempt \(event.attempt)"
        case .stored: "Stored"
        case .failed: "Failed at attempt \(event.attempt)"
        case .cancelled: "Cancelled"
        case .expired: "Removed"
        }
    }

    private func step(_ status: UploadStatus, _ words: String, at time: Date, after seconds: Double?, note: HTML?) -> HTML {
        let later: HTML? = seconds.map { "<span class=\"dash-later\">+\(Wording.duration($0))</span>" }
        let note: HTML? = note.map { "<span class=\"dash-quiet\">\($0)</span>" }
        return """
            <li data-status="\(status.rawValue)"><span class="dash-step">\(words)</span> \(note) \(Wording.time(time)) \(later)</li>

            """
    }

    // MARK: Facts

    var facts: HTML {
        let (upload, dossier) = (self.upload, self.dossier)
        let trace = dossier.traceparent.flatMap { $0.split(separator: "-").dropFirst().first.map(String.init) }
        let facts: [(String, String?)] = [
            ("Id", upload.id.uuidString.lowercased()),
            ("Owner", upload.owner),
            ("Field", upload.field.isEmpty ? nil : upload.field),
            ("Size", "\(ByteCount(bytes: upload.size)) (\(Wording.number(upload.size)))"),
            ("Content type", upload.contentType),
            ("Bucket", upload.bucket),
            ("Key", upload.key),
            ("Stored ETag", dossier.storedETag),
            ("Stored version", dossier.storedVersionID),
            ("Proved by", dossier.guarantee),
            ("Queue", dossier.queue),
            ("Priority", dossier.priority == 0 ? nil : "\(dossier.priority)"),
            ("Attempts", "\(upload.attempt) of \(upload.maxAttempts)"),
            ("Tmp bucket", dossier.tmpBucket),
            ("Tmp key", dossier.tmpKey),
            ("Tmp object", dossier.tmpIsDeleted ? "deleted" : nil),
            ("ETag", dossier.etag),
            ("Version", dossier.versionID),
            ("Trace", trace),
        ]
        let items = facts.compactMap { name, value -> HTML? in
            value.map { "<div><dt>\(name)</dt><dd><bdi>\($0)</bdi></dd></div>\n" }
        }
        return """
            <section class="dash-block" aria-labelledby="facts">
            <h2 id="facts">Facts</h2>
            <dl class="dash-facts">
            \(items)</dl>
            </section>

            """
    }
}
