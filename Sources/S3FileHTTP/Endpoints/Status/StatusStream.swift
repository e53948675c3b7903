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
        /// A comment follows so much silence, lest a proxy take the connection for dead.
        var heartbeat = Duration.seconds(15)
        /// After this it ends, and the client opens it anew: who lost the right to see does not see for ever.
        var life = Duration.seconds(15 * 60)
    }

    let uploads: Uploads
    /// Of the uploads in the client's URL, also those that it may not see.
    let order: [UUID]
    let known: [Upload]
    /// What to tell first.
    let start: StatusReplay
    let last: LastEventID
    let position: Int64
    /// Nil when nothing more will happen.
    let watch: StatusWatch?
    let pace: Pace

    func makeAsyncIterator() -> Iterator {
        Iterator(stream: self)
    }

    struct Iterator: AsyncIteratorProtocol {
        private let uploads: Uploads
        private let places: [UUID: Int]
        private let pace: Pace
        private let end: ContinuousClock.Instant
        private var last: LastEventID
        /// Those that have not ended.
        private var open: Set<UUID>
        private var start: StatusReplay?
        private let newest: Int64
        private var watch: StatusWatch?

        init(stream: StatusStream) {
            self.uploads = stream.uploads
            self.places = Dictionary(stream.order.enumerated().map { ($1, $0) }) { first, _ in first }
            self.pace = stream.pace
            // So that those that came together do not come back together.
            self.end = .now + stream.pace.life * Double.random(in: 0.8...1)
            self.last = stream.last
            self.newest = stream.position
            self.open = Set(stream.known.filter { !$0.status.isFinal }.map(\.id))
            self.start = stream.start
            self.watch = stream.watch
        }

        mutating func next() async throws -> ByteBuffer? {
            if let start = self.start {
                self.start = nil
                var bytes = ByteBuffer(string: "retry: 2000\n\n")
                for entry in start.entries {
                    self.last.position = entry.position ?? self.newest
                    try await self.tell(entry.upload, into: &bytes)
                }
                self.last.position = self.newest
                return bytes
            }
            guard !self.open.isEmpty, let watch = self.watch else { return nil }
            switch await watch.news(until: Swift.min(self.end, .now + self.pace.heartbeat)) {
            case .changes(let changed, let gone, let position):
                if let position { self.last.position = Swift.max(self.last.position, position) }
                self.open.subtract(gone)
                var bytes = ByteBuffer()
                for upload in changed { try await self.tell(upload, into: &bytes) }
                return bytes.readableBytes > 0 ? bytes : ByteBuffer(string: ":\n\n")
            case .nothing:
                if ContinuousClock.now >= self.end { return self.farewell() }
                return ByteBuffer(string: ":\n\n")
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

        private mutating func tell(_ upload: Upload, into bytes: inout ByteBuffer) async throws {
            guard let place = self.places[upload.id] else { return }
            self.last.told[place] = LastEventID.Told(upload)
            if upload.status.isFinal { self.open.remove(upload.id) } else { self.open.insert(upload.id) }
            // One line, as JSON escapes those within.
            bytes.writeString("event: status\nid: \(self.last.text)\ndata: ")
            bytes.writeBytes(try upload.json(url: try await self.uploads.url(of: upload)))
            bytes.writeString("\n\n")
        }
    }
}
