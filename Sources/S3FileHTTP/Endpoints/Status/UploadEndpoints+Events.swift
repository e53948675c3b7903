import HTTPTypes
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension UploadEndpoints {
    /// `GET events?upload={id}.{token}&…`: a stream of events, as
    /// [HTML](https://html.spec.whatwg.org/multipage/server-sent-events.html) has it.
    ///
    /// First how each upload stands, then each change. When all have ended, so does the stream; a client that comes back and knows all that
    /// is answered 204, which keeps it from coming again.
    func events(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let asked = try AskedUploads(query: request.query)
        let order = asked.entries.map(\.id)
        let header = HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }
        let last = (header ?? request.queryValue("lastEventId")).flatMap { LastEventID($0, count: order.count) }

        // Before anything is read for it: what may be read. Tokens say it by themselves; the authoriser has to see the uploads.
        var opened = try self.opened(asked, request)
        if opened.contains(where: { !$0.hasToken }) {
            opened = try await self.readable(opened, request).map { Opened(id: $0.id, hasToken: true) }
        }
        guard !opened.isEmpty else { throw Self.unknownUpload }

        // Before the uploads are read: what is replayed came before what is read then.
        let ids = opened.map(\.id)
        let (events, newest) = try await self.reading {
            guard let last, last.position > 0 else { return ([UploadEvent](), try await self.uploads.newestEvent()) }
            return (try await self.uploads.events(of: ids, after: last.position), try await self.uploads.newestEvent())
        }
        let uploads = try await self.readable(opened, request)
        guard !uploads.isEmpty else { throw Self.unknownUpload }

        let replay = StatusReplay(order: order, uploads: uploads, events: events, last: last)
        if replay.isEmpty, uploads.allSatisfy(\.status.isFinal) {
            return HTTPAnswer(status: .noContent, headers: [.cacheControl: "no-cache, no-transform"])
        }
        let stream = StatusStream(
            uploads: self.uploads,
            pace: self.pace,
            start: StatusStream.Start(
                order: order,
                known: uploads,
                replay: replay,
                last: last ?? LastEventID(position: 0, told: order.map { _ in nil }),
                position: newest ?? 0,
                watch: uploads.allSatisfy(\.status.isFinal) ? nil : try self.watch(uploads)
            )
        )
        return .events(stream, cacheControl: "no-cache")
    }
}
