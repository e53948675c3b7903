import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension S3Client {
    /// Above this, and only where TLS protects the body, its hash is not worth the time.
    private static let signedBodyLimit = 1 << 20
    private static let errorLimit = 64 * 1024

    /// Sends, reads the whole answer and throws it when it is an error; repeats where that is allowed.
    ///
    /// - Parameter read: makes the result of a successful answer. What it throws counts as a failure of the attempt.
    func send<R: Sendable>(
        _ request: S3Request,
        read: @escaping @Sendable (S3Response) throws(S3Error) -> R
    ) async throws -> R {
        try await self.repeating(request) {
            try await withDeadline(request.timeout) {
                let response = try await self.begin(request, body: request.body.map { .bytes($0) })
                let body: ByteBuffer
                do {
                    body = try await response.body.collect(upTo: request.responseLimit)
                } catch is NIOTooManyBytesError {
                    throw S3Error(
                        .invalidResponse,
                        status: Int(response.status.code),
                        message: "\(request.subject): the answer is larger than \(request.responseLimit) bytes."
                    )
                }
                return try read(S3Response(status: Int(response.status.code), headers: response.headers, body: body))
            }
        }
    }

    /// Attempts, waits between them, and the decision of what an error means.
    func repeating<R: Sendable>(_ request: S3Request, _ attempt: () async throws -> R) async throws -> R {
        var number = 1
        while true {
            do {
                return try await attempt()
            } catch {
                // Whoever cancelled knows that the outcome is unknown.
                try Task.checkCancellation()
                let failure = try self.failure(error, request)
                let mayRepeat = request.repetition == .safe || failure.code.isRefusal(status: failure.status)
                guard mayRepeat, let delay = self.retry.delay(after: number, error: failure) else {
                    throw request.repetition == .safe ? failure : failure.orOutcomeUnknown
                }
                self.logger.debug(
                    "Repeating an S3 request",
                    metadata: ["s3.operation": "\(request.operation)", "s3.attempt": "\(number)", "error": "\(failure)"]
                )
                try await Task.sleep(for: delay)
                number += 1
            }
        }
    }

    func failure(_ error: any Error, _ request: S3Request) throws(S3Error) -> S3Error {
        if let error = error as? S3Error { return error }
        return S3Error(transport: error, endpoint: try self.resolvedEndpoint().description, subject: request.subject)
    }

    /// Signs and sends one attempt; returns when the head of a successful answer is there. Another answer is thrown.
    func begin(_ request: S3Request, body: HTTPClientRequest.Body?) async throws -> HTTPClientResponse {
        try request.validate()
        let endpoint = try self.resolvedEndpoint()
        let target = try endpoint.target(bucket: request.bucket, key: request.key)
        let now = Date()
        let credentials = try await self.currentCredentials(at: now)
        let payloadHash =
            switch request.body {
            case .none: body == nil ? SigV4.emptyPayloadHash : SigV4.unsignedPayload
            case .some(let bytes) where endpoint.isEncrypted && bytes.readableBytes > Self.signedBodyLimit: SigV4.unsignedPayload
            case .some(let bytes): SigV4.payloadHash(bytes.readableBytesView)
            }
        var headers: [(name: String, value: String)] = [("host", target.authority)]
        headers += request.headers
        headers += SigV4.authorizationHeaders(
            for: SigV4.Request(
                method: request.method.rawValue,
                path: target.path,
                query: request.query,
                headers: headers,
                payloadHash: payloadHash
            ),
            credentials: credentials,
            region: self.configuration.region,
            now: now,
            keys: self.keys
        )
        var message = HTTPClientRequest(url: target.url(query: request.query))
        message.method = request.method
        message.headers = HTTPHeaders(headers.map { ($0.name, $0.value) })
        message.body = body
        let response = try await self.httpClient.execute(message, deadline: .now() + TimeAmount(request.timeout))
        guard (200..<300).contains(response.status.code) else {
            throw try await self.error(in: response, request)
        }
        return response
    }

    private func error(in response: HTTPClientResponse, _ request: S3Request) async throws -> S3Error {
        var document: XMLElement?
        if request.method != .HEAD {
            // A body that is too long, is no XML or breaks off leaves the status, which says enough.
            let body = try? await withDeadline(self.timeouts.request) {
                try await response.body.collect(upTo: Self.errorLimit)
            }
            document = body.flatMap { try? XMLReader.read($0.readableBytesView) }
        }
        return S3Error(
            status: Int(response.status.code),
            headers: response.headers,
            document: document,
            subject: request.subject
        )
    }

    /// The root of an answer's XML, which must have that name; an `<Error>` under status 200 is thrown as what it is.
    static func document(_ response: S3Response, _ name: String, _ request: S3Request) throws(S3Error) -> XMLElement {
        let document: XMLElement
        do {
            document = try XMLReader.read(
                response.body.readableBytesView,
                limits: XMLReader.Limits(bytes: request.responseLimit)
            )
        } catch {
            throw S3Error(
                .invalidResponse,
                status: response.status,
                message: "\(request.subject): the answer is not the XML it should be. \(error)",
                requestID: response.headers.first(name: "x-amz-request-id"),
                retryable: true
            )
        }
        if document.name == "Error" {
            throw S3Error(status: response.status, headers: response.headers, document: document, subject: request.subject)
        }
        guard document.name == name else {
            throw S3Error(
                .invalidResponse,
                status: response.status,
                message: "\(request.subject): the answer is a <\(document.name.prefix(64))>, not a <\(name)>.",
                requestID: response.headers.first(name: "x-amz-request-id")
            )
        }
        return document
    }

    /// The text that an answer must hold.
    static func required(
        _ element: String,
        in document: XMLElement,
        _ response: S3Response,
        _ request: S3Request
    ) throws(S3Error) -> String {
        guard let text = document[element]?.text, !text.isEmpty else { throw Self.missing(element, response, request) }
        return text
    }

    static func missing(_ element: String, _ response: S3Response, _ request: S3Request) -> S3Error {
        S3Error(
            .invalidResponse,
            status: response.status,
            message: "\(request.subject): the answer has no \(element).",
            requestID: response.headers.first(name: "x-amz-request-id"),
            retryable: true
        )
    }
}
