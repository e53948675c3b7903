package import S3File

/// What a client of the event stream knows, as the `id` of the last event that it got says: the newest event of the record by then, and the
/// status and attempt of each upload of its URL, in their order. `4711~s1.m2.-` is: stored at attempt 1, moving at attempt 2, not told yet.
///
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header>
package struct LastEventID: Equatable, Sendable {
    /// One upload as it was told.
    package struct Told: Equatable, Sendable {
        package var status: UploadStatus
        package var attempt: Int
    }

    /// Ours are at most 20 + 100 · 7 bytes long.
    package static let mostBytes = 1_024
    private static let letters: [(UploadStatus, Character)] = [
        (.queued, "q"), (.moving, "m"), (.stored, "s"), (.failed, "f"), (.cancelled, "c"), (.expired, "e"),
    ]

    /// 0 when it is not known.
    package var position: Int64
    package var told: [Told?]

    init(position: Int64, told: [Told?]) {
        self.position = position
        self.told = told
    }

    /// Nil for what is not one of ours for so many uploads: whoever brings it is told how things stand, as if it had brought none.
    package init?(_ text: String, count: Int) {
        guard text.utf8.count <= Self.mostBytes else { return nil }
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 2, let position = Int64(parts[0]), position >= 0 else { return nil }
        let entries = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        guard entries.count == count else { return nil }
        var told: [Told?] = []
        for entry in entries {
            if entry == "-" {
                told.append(nil)
                continue
            }
            guard let status = Self.letters.first(where: { $0.1 == entry.first })?.0,
                let attempt = UInt16(entry.dropFirst())
            else { return nil }
            told.append(Told(status: status, attempt: Int(attempt)))
        }
        self.init(position: position, told: told)
    }

    package var text: String {
        let entries = self.told.map { told in
            guard let told, let letter = Self.letters.first(where: { $0.0 == told.status })?.1 else { return "-" }
            return "\(letter)\(told.attempt)"
        }
        return "\(self.position)~\(entries.joined(separator: "."))"
    }
}

extension LastEventID.Told {
    init(_ upload: Upload) {
        self.init(status: upload.status, attempt: upload.attempt)
    }
}
