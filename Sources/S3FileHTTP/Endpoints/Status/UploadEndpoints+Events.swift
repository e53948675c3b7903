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

        // Before the uploads are read: what they replay came before what is read then.
        let (events, newest) = try await self.reading {
            guard let last, last.position > 0 else { return ([UploadEvent](), try await self.uploads.newestEvent()) }
            return (try await self.uploads.events(of: order, after: last.position), try await self.uploads.newestEvent())
        }
        let uploads = try await self.readable(asked, request)
        guard !uploads.isEmpty else { throw Self.unknownUpload }

        let start = StatusReplay(order: order, uploads: uploads, events: events, last: last)
        if start.isEmpty, uploads.allSatisfy(\.status.isFinal) {
            return HTTPAnswer(status: .noContent, headers: [.cacheControl: "no-cache, no-transform"])
        }
        let stream = StatusStream(
            uploads: self.uploads,
            order: order,
            known: uploads,
            start: start,
            last: last ?? LastEventID(position: 0, told: order.map { _ in nil }),
            position: newest ?? 0,
            watch: uploads.allSatisfy(\.status.isFinal) ? nil : try self.watch(uploads),
            pace: self.pace
        )
        // Proxies neither keep it nor squeeze it; nginx sends it on as it comes.
        var headers: HTTPFields = [
            .contentType: "text/event-stream",
            .cacheControl: "no-cache, no-transform",
            .xContentTypeOptions: "nosniff",
        ]
        if let buffering = HTTPField.Name("X-Accel-Buffering") { headers[buffering] = "no" }
        return HTTPAnswer(status: .ok, headers: headers, body: .stream(stream))
    }
}
