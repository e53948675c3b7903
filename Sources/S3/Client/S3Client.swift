package import AsyncHTTPClient
package import Logging
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Talks to S3: signs, sends, reads bounded answers, and repeats what may be repeated.
///
/// Every call throws ``S3Error``, or `CancellationError` when its task was cancelled. Copies and completed multipart uploads are
/// never repeated after an unclear answer: see ``S3Error/isOutcomeUnknown``.
package struct S3Client: Sendable {
    /// How long each attempt of a call may take, in all and in its phases. How long connecting may take is the HTTP client's to know:
    /// ``httpClientConfiguration(connectTimeout:idleTimeout:)``.
    package struct Timeouts: Sendable, Hashable {
        /// A small request in all. Bodies get more, by their size.
        package var request: Duration
        /// A copy in all. Since a store may be silent while it copies, this is also how long it may be silent.
        package var copy: Duration
        /// From the end of any other request to the head of its answer; as much more as the whole has for a large body.
        package var firstByte: Duration
        /// Between two pieces of any other answer.
        package var idle: Duration

        package init(
            request: Duration = .seconds(30),
            copy: Duration = .seconds(600),
            firstByte: Duration = .seconds(20),
            idle: Duration = .seconds(20)
        ) {
            self.request = request
            self.copy = copy
            self.firstByte = firstByte
            self.idle = idle
        }
    }

    package let configuration: S3Configuration
    package var retry: S3RetryPolicy
    package var timeouts: Timeouts
    /// Asked before each attempt of each request, the repeated ones too, and after any waiting for room: what it throws ends the call.
    package var beforeEachAttempt: (@Sendable () async throws -> Void)?

    let httpClient: HTTPClient
    package var logger: Logger
    /// The time by which requests are signed.
    package let clock: ServerClock
    /// How many requests the buckets' store takes at a time.
    package let concurrency = BucketConcurrency()
    package let budget = RetryBudget()
    let keys = SigningKeyCache()
    package let observation: S3Observation
    private let endpoint: Result<S3Endpoint, S3Error>
    private let publicEndpoint: Result<S3Endpoint, S3Error>

    /// - Parameters:
    ///   - httpClient: configured as ``httpClientConfiguration(connectTimeout:idleTimeout:)``; the caller shuts it down.
    ///   - clock: the one that the provider of credentials goes by, if it goes by any.
    package init(
        configuration: S3Configuration,
        httpClient: HTTPClient,
        logger: Logger,
        retry: S3RetryPolicy = S3RetryPolicy(),
        timeouts: Timeouts = Timeouts(),
        clock: ServerClock = ServerClock(),
        observation: S3Observation = S3Observation()
    ) {
        self.clock = clock
        self.observation = observation
        self.configuration = configuration
        self.httpClient = httpClient
        self.logger = logger
        self.retry = retry
        self.timeouts = timeouts
        // A wrong endpoint is thrown by the first call, or earlier by `configuration.validate()`.
        self.endpoint = Result { () throws(S3Error) in
            try S3Endpoint(configuration.endpoint, configuration: configuration)
        }
        self.publicEndpoint = Result { () throws(S3Error) in
            try S3Endpoint(configuration.publicEndpoint ?? configuration.endpoint, configuration: configuration)
        }
    }

    /// The settings an HTTP client needs for S3: HTTP/1 only, no redirects (a redirect would need another signature), no
    /// decompression (it would change the object), and failures to connect reported at once, because this client retries.
    ///
    /// - Parameter idleTimeout: the longest silence within an answer; not below ``Timeouts/copy``, or copies are cut off.
    package static func httpClientConfiguration(
        connectTimeout: Duration = .seconds(10),
        idleTimeout: Duration = .seconds(600)
    ) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(connectTimeout), read: TimeAmount(idleTimeout)),
            decompression: .disabled
        )
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        configuration.connectionPool.idleTimeout = .seconds(30)
        configuration.connectionPool.retryConnectionEstablishment = false
        // The S3 client has spans of its own, which know the operation.
        configuration.tracing.tracer = nil
        return configuration
    }

    func resolvedEndpoint() throws(S3Error) -> S3Endpoint { try self.endpoint.get() }
    func resolvedPublicEndpoint() throws(S3Error) -> S3Endpoint { try self.publicEndpoint.get() }

    /// Credentials that have not ended.
    func currentCredentials() async throws -> S3Credentials {
        let credentials: S3Credentials
        do {
            credentials = try await self.configuration.credentials.credentials()
        } catch let error as S3Error {
            throw error
        } catch let error as CredentialsError {
            try Task.checkCancellation()
            throw S3Error(
                .credentialsUnavailable,
                status: 0,
                message: "No credentials for S3 could be had. \(error)",
                retryable: error.retryable
            )
        } catch {
            try Task.checkCancellation()
            throw S3Error(.credentialsUnavailable, status: 0, message: "No credentials for S3 could be had: \(error)")
        }
        if let expiration = credentials.expiration, expiration <= self.clock.now {
            throw S3Error(.expiredToken, status: 0, message: "The S3 credentials ended at \(Timestamp.iso8601(expiration)).")
        }
        return credentials
    }
}
