import NIOConcurrencyHelpers
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The newest overview as an event, drawn once for all who may see the same of it.
final class DrawnOverviews: Sendable {
    private struct Drawn {
        var number: Int
        var event: ByteBuffer
    }

    private let drawn = NIOLockedValueBox<[Bool: Drawn]>([:])

    init() {}

    /// - Parameter number: of the sight.
    func event(_ overview: Overview, number: Int, mayChange: Bool) throws -> ByteBuffer {
        if let drawn = self.drawn.withLockedValue({ $0[mayChange] }), drawn.number == number {
            return drawn.event
        }
        let event = try Self.draw(overview, mayChange)
        self.drawn.withLockedValue { drawn in
            guard number >= drawn[mayChange]?.number ?? 0 else { return }
            drawn[mayChange] = Drawn(number: number, event: event)
        }
        return event
    }

    private struct Event: Encodable {
        var time: String
        var clock: String
        var html: String
    }

    private static func draw(_ overview: Overview, _ mayChange: Bool) throws -> ByteBuffer {
        let event = Event(
            time: Wording.iso(overview.readAt),
            clock: Wording.clock(overview.readAt),
            html: OverviewDrawing(overview: overview, mayChange: mayChange).html.text
        )
        // One line, as JSON escapes those within.
        var bytes = ByteBuffer(string: "event: overview\ndata: ")
        bytes.writeBytes(try JSONEncoder().encode(event))
        bytes.writeString("\n\n")
        return bytes
    }
}
