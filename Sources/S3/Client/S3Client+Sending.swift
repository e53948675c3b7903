import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import Tracing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension S3Client {
    /// Above this, and only where TLS protects the body, its hash is not worth the time.
    private static let signedBodyLimit = 1 << 20
    private static let errorLimit = 64 * 1024

    /// A request as it goes out, and who signed it.
    private struct Signed: Sendable {
        var url: String
        var headers: HTTPHeaders
        var credentials: S3Credentials
    }

    /// Sends, reads the whole answer and throws it when it is an error; repeats where that is allowed.
    ///
    /// - Parameter read: makes the result of a successful answer. What it throws counts as a failure of the attempt.
    func send<R: Sendable>(
        _ request: S3Request,
        read: @escaping @Sendable (S3Response) throws(S3Error) -> R
    ) async throws -> R {
        try await self.repeating(request) {
            let signed = try await self.signed(request, payloadHash: try self.payloadHash(request))
            let answer = try await self.exchange(signed, request)
            guard (200..<300).contains(answer.status) else {
                throw self.remedied(
                    Self.error(answer, request),
                    signed.credentials,
                    date: answer.headers.first(name: "date"),
                    isHead: request.method == .HEAD
                )
            }
            return try read(answer)
        }
    }

    /// The whole answer, whatever its status.
    private func exchange(_ signed: Signed, _ request: S3Request) async throws -> S3Response {
        let collector = AnswerCollector(
            limits: AnswerCollector.Limits(
                firstByte: self.firstByteLimit(request),
                idle: request.mayBeSilent ? request.timeout : min(request.timeout, self.timeouts.idle),
                whole: request.timeout,
                success: request.responseLimit,
                failure: Self.errorLimit
            ),
            isHead: request.method == .HEAD
        )
        let message = try HTTPClient.Request(
            url: signed.url,
            method: request.method,
            headers: signed.headers,
            body: request.body.map { .byteBuffer($0) }
        )
        do {
            let task = self.httpClient.execute(request: message, delegate: collector)
            return try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
        } catch {
            try Task.checkCancellation()
            // An error's body that is too long or breaks off leaves the status, which says enough.
            if let partial = collector.partial, !(200..<300).contains(partial.status) {
                return S3Response(status: partial.status, headers: partial.headers, body: ByteBuffer())
            }
            guard let tooLarge = error as? AnswerCollector.AnswerTooLarge else { throw error }
            throw S3Error(
                .invalidResponse,
                status: collector.partial?.status ?? 0,
                message: "\(request.subject): the answer is larger than \(tooLarge.limit) bytes.",
                requestID: collector.partial?.headers.first(name: "x-amz-request-id")
            )
        }
    }

    /// Time for the body is in the whole's, and S3 answers after it.
    private func firstByteLimit(_ request: S3Request) -> Duration {
        guard !request.mayBeSilent else { return request.timeout }
        return min(request.timeout, self.timeouts.firstByte + max(.zero, request.timeout - self.timeouts.request))
    }

    /// Attempts, waits between them, and the decision of what an error means.
    func repeating<R: Sendable>(_ request: S3Request, _ attempt: () async throws -> R) async throws -> R {
        guard self.observation.spans.tracer != nil else { return try await self.repeating(request, nil, attempt) }
        return try await self.observation.withSpan(request) { try await self.repeating(request, $0, attempt) }
    }

    private func repeating<R: Sendable>(
        _ request: S3Request,
        _ span: (any Span)?,
        _ attempt: () async throws -> R
    ) async throws -> R {
        let limiter = self.concurrency.limiter(request.bucket)
        var number = 1
        var paid = 0
        var remedied: Set<S3Error.Code> = []
        while true {
            let failure: S3Error
            let permit = try await limiter.acquire()
            do {
                try await self.beforeEachAttempt?()
            } catch {
                limiter.release(permit, .other)
                throw error
            }
            let start = ContinuousClock.now
            do {
                let result = try await attempt()
                limiter.release(permit, .success)
                self.observation.ended(request.operation, .ok, since: start)
                self.budget.earn(paid: paid)
                return result
            } catch {
                do {
                    // Whoever cancelled knows that the outcome is unknown.
                    try Task.checkCancellation()
                    failure = try self.failure(error, request)
                } catch {
                    limiter.release(permit, .other)
                    self.observation.ended(request.operation, .cancelled, since: start)
                    throw error
                }
                self.observation.ended(request.operation, S3Observation.Outcome(failure), since: start)
                limiter.release(permit, failure.code.isThrottling(status: failure.status) ? .throttled : .other)
            }
            // What was put right costs no attempt, once for each cause.
            if failure.isRemedied, remedied.insert(failure.code).inserted {
                self.observation.repeats(failure, span)
                continue
            }
            let mayRepeat = request.repetition == .safe || failure.code.isRefusal(status: failure.status)
            guard
                mayRepeat, let delay = self.retry.delay(after: number, error: failure), let price = self.budget.pay(for: failure)
            else {
                throw request.repetition == .safe ? failure : failure.orOutcomeUnknown
            }
            paid = price
            self.observation.repeats(failure, span)
            self.logger.debug(
                "Repeating an S3 request",
                metadata: ["s3.operation": "\(request.operation)", "s3.attempt": "\(number)", "error": "\(failure)"]
            )
            try await Task.sleep(for: delay)
            number += 1
        }
    }

    func failure(_ error: any Error, _ request: S3Request) throws(S3Error) -> S3Error {
        if let error = error as? S3Error { return error }
        return S3Error(transport: error, endpoint: try self.resolvedEndpoint().description, subject: request.subject)
    }

    /// Signs and sends one attempt; returns when the head of a successful answer is there. Another answer is thrown.
    ///
    /// For bodies that are not kept in memory; everything else goes by ``send(_:read:)``.
    func begin(_ request: S3Request, body: HTTPClientRequest.Body?) async throws -> HTTPClientResponse {
        let signed = try await self.signed(
            request,
            payloadHash: body == nil ? SigV4.emptyPayloadHash : SigV4.unsignedPayload
        )
        var message = HTTPClientRequest(url: signed.url)
        message.method = request.method
        message.headers = signed.headers
        message.body = body
        let limit = self.firstByteLimit(request)
        let response: HTTPClientResponse
        do {
            // The HTTP client's deadline is that of the head.
            response = try await self.httpClient.execute(message, deadline: .now() + TimeAmount(limit))
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            throw AttemptTimeout(phase: .firstByte, limit: limit)
        }
        guard (200..<300).contains(response.status.code) else {
            let idle = self.timeouts.idle
            let text = try? await withDeadline(idle) { try await response.body.collect(upTo: Self.errorLimit) }
            let answer = S3Response(status: Int(response.status.code), headers: response.headers, body: text ?? ByteBuffer())
            throw self.remedied(
                Self.error(answer, request),
                signed.credentials,
                date: response.headers.first(name: "date"),
                isHead: request.method == .HEAD
            )
        }
        return response
    }

    private func payloadHash(_ request: S3Request) throws(S3Error) -> String {
        guard let body = request.body else { return SigV4.emptyPayloadHash }
        if body.readableBytes > Self.signedBodyLimit, try self.resolvedEndpoint().isEncrypted { return SigV4.unsignedPayload }
        return SigV4.payloadHash(body.readableBytesView)
    }

    private func signed(_ request: S3Request, payloadHash: String) async throws -> Signed {
        try request.validate()
        let target = try self.resolvedEndpoint().target(bucket: request.bucket, key: request.key)
        let credentials = try await self.currentCredentials()
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
            now: self.clock.now,
            keys: self.keys
        )
        return Signed(
            url: target.url(query: request.query),
            headers: HTTPHeaders(headers.map { ($0.name, $0.value) }),
            credentials: credentials
        )
    }

    private static func error(_ answer: S3Response, _ request: S3Request) -> S3Error {
        S3Error(
            status: answer.status,
            headers: answer.headers,
            document: answer.body.readableBytes == 0 ? nil : try? XMLReader.read(answer.body.readableBytesView),
            subject: request.subject
        )
    }

    // MARK: What can be put right here

    /// Answers to HEAD have no code. Further off than this, a refusal is one for the time.
    private static let certainSkew: Duration = .seconds(14 * 60)
    /// Closer than this, another signature would make no difference.
    private static let noticeableSkew: Duration = .seconds(10)

    /// The error, and whether its cause is gone: a clock that has been corrected, credentials that will be renewed.
    private func remedied(_ error: S3Error, _ credentials: S3Credentials, date: String?, isHead: Bool) -> S3Error {
        var error = error
        switch error.code {
        case .requestTimeTooSkewed:
            error.isRemedied = self.clock.correct(by: date, ifFartherThan: Self.noticeableSkew)
        case .accessDenied where isHead && error.status == 403:
            error.isRemedied = self.clock.correct(by: date, ifFartherThan: Self.certainSkew)
        case .expiredToken, .tokenRefreshRequired:
            error.isRemedied = self.configuration.credentials.discard(credentials)
        case S3Error.Code("BadRequest") where isHead && error.region == nil && credentials.sessionToken != nil:
            // What AWS makes of ExpiredToken for a HEAD.
            error.isRemedied = self.configuration.credentials.discard(credentials)
        default:
            break
        }
        if error.isRemedied {
            self.logger.info(
                "S3 refused a request for its time or its credentials; asking again with others",
                metadata: ["error": "\(error)", "s3.clock.offset": "\(Int(self.clock.offset)) s"]
            )
        }
        return error
    }
}
