import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a client of the event stream is told first: to one that comes anew how things stand; to one that comes back what it missed.
///
/// Of what it missed the record keeps status, attempt and time, for a few days; the last state is told in full. Nothing goes backwards: what
/// was told before is not told again.
struct StatusReplay: Sendable {
    /// How an upload stands, or how it stood.
    struct Entry: Sendable {
        var upload: Upload
        /// What is known once this was told and nothing after it; nil for all.
        var position: Int64?
    }

    /// In the order of what happened; the last of each upload is how it stands.
    let entries: [Entry]

    /// - Parameters:
    ///   - order: of the uploads in the client's URL.
    ///   - uploads: how they stand.
    ///   - events: how they stood one after the other since the client heard last, read before `uploads`.
    ///   - last: what the client knows; nil for nothing.
    init(order: [UUID], uploads: [Upload], events: [UploadEvent], last: LastEventID?) {
        guard let last else {
            self.entries = uploads.map { Entry(upload: $0) }
            return
        }
        let known = Dictionary(zip(order, last.told).map { ($0, $1) }) { first, _ in first }
        let current = Dictionary(uploads.map { ($0.id, $0) }) { first, _ in first }
        var missed: [(event: Int64, upload: Upload)] = []
        for (id, events) in Dictionary(grouping: events, by: \.uploadID) {
            guard let upload = current[id], let told = known[id] ?? nil, told != LastEventID.Told(upload) else { continue }
            // It may have been told later than the position in its id says.
            let from = events.lastIndex { LastEventID.Told(status: $0.status, attempt: $0.attempt) == told }.map { $0 + 1 } ?? 0
            let between = events[from...].filter {
                LastEventID.Told(status: $0.status, attempt: $0.attempt) != LastEventID.Told(upload)
            }
            missed += between.map { ($0.id, upload.asItWas($0)) }
        }
        let changed = uploads.filter { upload in
            // A copy may have got further meanwhile.
            upload.status == .moving || (known[upload.id] ?? nil) != LastEventID.Told(upload)
        }
        missed.sort { ($0.event, $0.upload.id.uuidString) < ($1.event, $1.upload.id.uuidString) }
        // One event is of many uploads: who hears of one and not of the next begins with that event again.
        self.entries = missed.map { Entry(upload: $0.upload, position: $0.event - 1) } + changed.map { Entry(upload: $0) }
    }

    var isEmpty: Bool { self.entries.isEmpty }
}

extension Upload {
    /// As the record of events tells it.
    fileprivate func asItWas(_ event: UploadEvent) -> Upload {
        var upload = self
        (upload.status, upload.attempt, upload.updatedAt) = (event.status, event.attempt, event.at)
        upload.error = nil
        if event.status != .stored {
            upload.storedAt = nil
            upload.progress.copied = 0
        }
        return upload
    }
}
