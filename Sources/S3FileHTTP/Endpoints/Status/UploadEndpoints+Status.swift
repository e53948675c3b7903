import HTTPTypes
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension UploadEndpoints {
    /// The longest that a request may ask to wait, in seconds: proxies cut what is silent for a minute.
    static let longestWait = 30

    /// `GET uploads/{id}?token=…&wait=…`
    func status(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let wait = try Self.wait(request)
        guard let id = request.parameters["id"].flatMap({ UUID(canonical: $0) }) else {
            // As for an upload that there is not, with a token and without.
            _ = try await self.readable(AskedUploads([.init(id: UUID(), token: request.token)]), request)
            throw Self.unknownUpload
        }
        let asked = AskedUploads([.init(id: id, token: request.token)])
        let document = try await self.document(asked, request, wait: wait)
        guard !document.uploads.isEmpty else { throw Self.unknownUpload }
        return try await self.answer(document, request) { try await document.single(self.uploads) }
    }

    /// `GET uploads?upload={id}.{token}&…&wait=…`
    func statuses(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let wait = try Self.wait(request)
        let document = try await self.document(try AskedUploads(query: request.query), request, wait: wait)
        return try await self.answer(document, request) { try await document.list(self.uploads) }
    }

    private static func wait(_ request: EndpointRequest) throws(Problem) -> Duration {
        guard let text = request.queryValue("wait") else { return .zero }
        guard text.utf8.count <= 2, let seconds = UInt8(text), seconds <= Self.longestWait else {
            throw Problem(
                status: .badRequest,
                code: "invalid_wait",
                detail: "wait is a whole number of seconds, from 0 to \(Self.longestWait)."
            )
        }
        return .seconds(Int(seconds))
    }

    /// How things stand; with a wait, and when the request says that it knows as much, as soon as they stand otherwise.
    private func document(_ asked: AskedUploads, _ request: EndpointRequest, wait: Duration) async throws -> StatusDocument {
        let end = ContinuousClock.now + wait
        let document = try StatusDocument(try await self.readable(asked, request), now: Date())
        let known = request.headers[values: .ifNoneMatch]
        guard wait > .zero, !document.uploads.isEmpty, EntityTag.matches(document.entityTag, known) else { return document }
        return try await self.next(after: document, known: known, until: end)
    }

    private func next(after document: StatusDocument, known: [String], until end: ContinuousClock.Instant) async throws
        -> StatusDocument
    {
        let watch = try self.watch(document.uploads)
        var document = document
        while EntityTag.matches(document.entityTag, known) {
            guard case .changes(let changed, let gone, _) = await watch.news(until: end) else { break }
            let latest = Dictionary(changed.map { ($0.id, $0) }) { $1 }
            document = try StatusDocument(
                document.uploads.filter { !gone.contains($0.id) }.map { latest[$0.id] ?? $0 },
                now: Date()
            )
        }
        return document
    }

    private func answer(
        _ document: StatusDocument,
        _ request: EndpointRequest,
        body: () async throws -> ByteBuffer
    ) async throws -> HTTPAnswer {
        var headers: HTTPFields = [
            .eTag: document.entityTag,
            .cacheControl: "no-cache, private",
            .xContentTypeOptions: "nosniff",
        ]
        if EntityTag.matches(document.entityTag, request.headers[values: .ifNoneMatch]) {
            return HTTPAnswer(status: .notModified, headers: headers)
        }
        headers[.contentType] = "application/json"
        return HTTPAnswer(status: .ok, headers: headers, body: .bytes(try await body()))
    }
}
