package import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Gets small documents from endpoints of credentials: bounded in size and time, and repeated when a server stumbles.
package struct CredentialsTransport: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: ByteBuffer

        var isSuccess: Bool { (200..<300).contains(self.status) }
    }

    private static let limit = 64 * 1024

    let httpClient: HTTPClient
    /// Learns from the answers when this machine's clock is far off.
    let clock: ServerClock

    /// - Parameter httpClient: configured as ``S3Client/httpClientConfiguration(connectTimeout:idleTimeout:)``: no redirects, no proxy.
    package init(httpClient: HTTPClient, clock: ServerClock = ServerClock()) {
        self.httpClient = httpClient
        self.clock = clock
    }

    /// Any answer, also of an error that did not pass.
    ///
    /// - Parameter timeout: of each attempt.
    func fetch(
        _ request: HTTPClientRequest,
        for source: String,
        timeout: Duration,
        attempts: Int
    ) async throws -> Answer {
        var number = 1
        while true {
            do {
                let answer = try await self.attempt(request, timeout)
                guard answer.status >= 500 || answer.status == 429, number < attempts else { return answer }
            } catch is NIOTooManyBytesError {
                throw CredentialsError(.failed, source, "the answer is larger than \(Self.limit) bytes")
            } catch {
                try Task.checkCancellation()
                guard number < attempts else {
                    let reason =
                        switch error {
                        case let error as DeadlineExceeded: "no answer within \(error.timeout)"
                        default: "\(error)"
                        }
                    throw CredentialsError(
                        .failed,
                        source,
                        "\(Self.origin(request.url)) cannot be reached: \(CredentialsError.quoted(reason))",
                        retryable: true
                    )
                }
            }
            try await Task.sleep(for: .milliseconds(100) * (1 << min(number - 1, 5)) * Double.random(in: 0...1))
            number += 1
        }
    }

    private func attempt(_ request: HTTPClientRequest, _ timeout: Duration) async throws -> Answer {
        try await withDeadline(timeout) {
            let response = try await self.httpClient.execute(request, deadline: .now() + TimeAmount(timeout))
            let body = try await response.body.collect(upTo: Self.limit)
            // Credentials of an hour look ended to a clock that is an hour ahead, and S3 would never be asked for the time.
            self.clock.correct(by: response.headers.first(name: "date"), ifFartherThan: .seconds(240))
            return Answer(status: Int(response.status.code), body: body)
        }
    }

    /// Without the path and the query, which may hold what is nobody's business.
    static func origin(_ url: String) -> String {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return CredentialsError.quoted(parts.prefix(3).joined(separator: "/").prefix { $0 != "?" })
    }
}
