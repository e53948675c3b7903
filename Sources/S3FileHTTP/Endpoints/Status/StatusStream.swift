import NIOConcurrencyHelpers
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The bytes of an event stream, for one client. Nothing is made ahead: the next piece is asked for when the one before was sent, and says how
/// things stand by then.
struct StatusStream: AsyncSequence, Sendable {
    /// How a stream behaves in time.
    struct Pace: Sendable {
        /// A beat follows so much silence, lest a proxy take the connection for dead, and a client what a proxy holds back for silence.
        var heartbeat = Duration.seconds(15)
        /// The first one comes sooner: by then a client knows whether anything passes.
        var firstHeartbeat = Duration.seconds(2)
        /// After this it ends, and the client opens it anew: who lost the right to see does not see for ever.
        var life = Duration.seconds(15 * 60)
    }

    /// What is needed to begin, and no longer.
    struct Start: Sendable {
        /// Of the uploads in the client's URL, also those that it may not see.
        var order: [UUID]
        var known: [Upload]
        /// What to tell first.
        var replay: StatusReplay
        var last: LastEventID
        var position: Int64
        /// Nil when nothing more will happen.
        var watch: StatusWatch?
    }

    private let uploads: Uploads
    private let pace: Pace
    /// Whoever sends the stream holds it until the end; what it began with is gone by then.
    private let start: NIOLockedValueBox<Start?>

    init(uploads: Uploads, pace: Pace, start: Start) {
        self.uploads = uploads
        self.pace = pace
        self.start = NIOLockedValueBox(start)
    }

    /// Whether it has let go of that.
    var hasBegun: Bool { self.start.withLockedValue { $0 == nil } }

    /// Once: a second one has nothing to tell.
    func makeAsyncIterator() -> Iterator {
        let start = self.start.withLockedValue { start in
            defer { start = nil }
            return start
        }
        return Iterator(uploads: self.uploads, pace: self.pace, start: start)
    }

    struct Iterator: AsyncIteratorProtocol {
        private let uploads: Uploads
        private let places: [UUID: Int]
        private let pace: Pace
        /// There is no more of it from now on.
        private var silence: Duration
        private let end: ContinuousClock.Instant
        private var last: LastEventID
        /// Those that have not ended.
        private var open: Set<UUID>
        private var replay: StatusReplay?
        private let newest: Int64
        private var watch: StatusWatch?

        fileprivate init(uploads: Uploads, pace: Pace, start: Start?) {
            self.uploads = uploads
            self.places = Dictionary((start?.order ?? []).enumerated().map { ($1, $0) }) { first, _ in first }
            self.pace = pace
            self.silence = Swift.min(pace.firstHeartbeat, pace.heartbeat)
            // So that those that came together do not come back together.
            self.end = .now + pace.life * Double.random(in: 0.8...1)
            self.last = start?.last ?? LastEventID(position: 0, told: [])
            self.newest = start?.position ?? 0
            self.open = Set((start?.known ?? []).filter { !$0.status.isFinal }.map(\.id))
            self.replay = start?.replay
            self.watch = start?.watch
        }

        mutating func next() async throws -> ByteBuffer? {
            if let replay = self.replay {
                self.replay = nil
                var bytes = ByteBuffer(string: "retry: 2000\n\n")
                for entry in replay.entries {
                    self.last.position = entry.position ?? self.newest
                    try await self.tell(entry.upload, into: &bytes)
                }
                self.last.position = self.newest
                // That was all.
                self.beat(before: self.silence, into: &bytes)
                return bytes
            }
            guard !self.open.isEmpty, let watch = self.watch else { return nil }
            let isFirst = self.silence < self.pace.heartbeat
            let until = Swift.min(self.end, .now + self.silence)
            self.silence = self.pace.heartbeat
            switch await watch.news(until: until) {
            case .changes(let changed, let gone, let position):
                if let position { self.last.position = Swift.max(self.last.position, position) }
                self.open.subtract(gone)
                var bytes = ByteBuffer()
                for upload in changed { try await self.tell(upload, into: &bytes) }
                if isFirst || bytes.readableBytes == 0 { self.beat(before: self.silence, into: &bytes) }
                return bytes
            case .nothing:
                if ContinuousClock.now >= self.end { return self.farewell() }
                var bytes = ByteBuffer()
                self.beat(before: self.silence, into: &bytes)
                return bytes
            case .ended:
                return self.farewell()
            }
        }

        /// Those who come back from a server that stops should not all do so at the same moment.
        private mutating func farewell() -> ByteBuffer? {
            guard !Task.isCancelled else { return nil }
            self.watch = nil
            return ByteBuffer(string: "retry: \(Int.random(in: 500...4_000))\n\n")
        }

        /// A sign of life, with the seconds after which there is another at the latest.
        private func beat(before next: Duration, into bytes: inout ByteBuffer) {
            let seconds = next.components.seconds + (next.components.attoseconds > 0 ? 1 : 0)
            bytes.writeString("event: beat\ndata: \(seconds)\n\n")
        }

        private mutating func tell(_ upload: Upload, into bytes: inout ByteBuffer) async throws {
            guard let place = self.places[upload.id] else { return }
            self.last.told[place] = LastEventID.Told(upload)
            if upload.status.isFinal { self.open.remove(upload.id) } else { self.open.insert(upload.id) }
            // One line, as JSON escapes those within.
            bytes.writeString("event: status\nid: \(self.last.text)\ndata: ")
            bytes.writeBytes(try await upload.json(for: self.uploads))
            bytes.writeString("\n\n")
        }
    }
}
