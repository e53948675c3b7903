import AsyncHTTPClient
package import NIOCore
import NIOHTTP1

/// An object's bytes as they come, once, with what S3 says of the object.
///
/// When the connection breaks, the rest is asked for on another one, fenced to the same ETag.
package struct S3ObjectBody: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    package let head: S3ObjectHead
    /// The bytes that come; nil for an empty object.
    package let range: ClosedRange<Int64>?
    let client: S3Client
    let request: S3Request
    let first: HTTPClientResponse

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(body: self)
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        private let body: S3ObjectBody
        private var bytes: HTTPClientResponse.Body.AsyncIterator
        private var position: Int64
        private let end: Int64
        private var attempt = 1

        init(body: S3ObjectBody) {
            self.body = body
            self.bytes = body.first.body.makeAsyncIterator()
            self.position = body.range?.lowerBound ?? 0
            self.end = body.range.map { $0.upperBound + 1 } ?? 0
        }

        /// Concurrent, as the HTTP client's own iterator is, which it holds.
        @concurrent
        package mutating func next() async throws -> ByteBuffer? {
            while true {
                do {
                    if let buffer = try await self.nextInTime() {
                        self.position += Int64(buffer.readableBytes)
                        guard self.position <= self.end else {
                            throw S3Error(
                                .invalidResponse,
                                status: 200,
                                message: "\(self.body.request.subject): there are too many bytes."
                            )
                        }
                        // Progress earns the patience back.
                        self.attempt = 1
                        return buffer
                    }
                    guard self.position < self.end else { return nil }
                    throw HTTPClientError.remoteConnectionClosed
                } catch {
                    try Task.checkCancellation()
                    let failure = try self.body.client.failure(error, self.body.request)
                    guard
                        self.position < self.end, let delay = self.body.client.retry.delay(after: self.attempt, error: failure),
                        self.body.client.budget.pay(for: failure) != nil
                    else { throw failure }
                    try await Task.sleep(for: delay)
                    self.attempt += 1
                    try await self.resume()
                }
            }
        }

        /// The next piece, unless it lets wait too long.
        @concurrent
        private mutating func nextInTime() async throws -> ByteBuffer? {
            // The HTTP client forbids two tasks to use its iterator. There is one at a time: the child that has it ends before this
            // function goes on.
            nonisolated(unsafe) var bytes = self.bytes
            defer { self.bytes = bytes }
            return try await self.body.client.withinIdleTime { try await bytes.next() }
        }

        @concurrent
        private mutating func resume() async throws {
            var request = self.body.request
            request.headers.removeAll { $0.name == "range" || $0.name == "if-match" }
            request.add("range", "bytes=\(self.position)-\(self.end - 1)")
            request.add("if-match", self.body.head.etag)
            let (response, range) = try await self.body.client.open(request)
            guard range == self.position...(self.end - 1) else {
                throw S3Error(
                    .invalidResponse,
                    status: Int(response.status.code),
                    message: "\(request.subject): the range is not honoured."
                )
            }
            self.bytes = response.body.makeAsyncIterator()
        }
    }
}

extension S3Client {
    /// The object, or a part of it, streamed with back-pressure: S3 sends no faster than the bytes are taken.
    ///
    /// Let go of the result, or read it to its end: until then it holds a connection.
    package func getObject(
        bucket: String,
        key: String,
        versionID: String? = nil,
        range: ClosedRange<Int64>? = nil,
        ifMatch: String? = nil
    ) async throws -> S3ObjectBody {
        var request = S3Request(
            operation: .getObject,
            method: .GET,
            bucket: bucket,
            key: key,
            timeout: self.timeouts.request
        )
        if let versionID { request.query.append(("versionId", versionID)) }
        if let range { request.add("range", "bytes=\(range.lowerBound)-\(range.upperBound)") }
        request.add("if-match", ifMatch)
        let (response, sent) = try await self.open(request)
        let head = try S3ObjectHead(status: Int(response.status.code), headers: response.headers, subject: request.subject)
        return S3ObjectBody(head: head, range: sent, client: self, request: request, first: response)
    }

    /// The head of an answer with bytes, and which bytes they are.
    func open(_ request: S3Request) async throws -> (response: HTTPClientResponse, range: ClosedRange<Int64>?) {
        let response = try await self.repeating(request) { try await self.begin(request, body: nil) }
        let range: ClosedRange<Int64>?
        if response.status == .partialContent {
            range = response.headers.first(name: "content-range").flatMap(Self.contentRange)
            guard range != nil else {
                throw S3Error(.invalidResponse, status: 206, message: "\(request.subject): the answer has no Content-Range.")
            }
        } else {
            let size = response.headers.first(name: "content-length").flatMap { Int64($0) } ?? 0
            range = size > 0 ? 0...(size - 1) : nil
        }
        return (response, range)
    }

    /// `bytes 0-9/1000`
    private static func contentRange(_ text: String) -> ClosedRange<Int64>? {
        guard text.hasPrefix("bytes ") else { return nil }
        let bounds = text.dropFirst(6).prefix { $0 != "/" }.split(separator: "-", omittingEmptySubsequences: false)
        guard
            bounds.count == 2, let first = Int64(bounds[0]), let last = Int64(bounds[1]), first >= 0, last >= first,
            last < Int64.max
        else { return nil }
        return first...last
    }
}
