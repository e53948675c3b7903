package import AsyncHTTPClient
import NIOConcurrencyHelpers
package import NIOCore
import NIOHTTP1

/// Many clients on connections of their own, each of which asks again as soon as it is answered, whatever the answer was.
package final class Flood: Sendable {
    /// What was asked, and what was answered so far.
    package struct Counts: Sendable {
        /// By what was asked, and by status; nil is no answer within a client's patience.
        package fileprivate(set) var answers: [String: [Int?: Int]] = [:]
        /// 429 and 503 that did not say when to come again, or were no problem details.
        package fileprivate(set) var unclear = 0
        /// What was strange about the first few of them, and about requests without an answer.
        package fileprivate(set) var complaints: [String] = []

        package func count(_ what: String, _ status: Int) -> Int { self.answers[what]?[status] ?? 0 }
        package var shed: Int { self.answers.values.reduce(0) { $0 + ($1[429] ?? 0) + ($1[503] ?? 0) } }
        package var statuses: Set<Int?> { self.answers.values.reduce(into: []) { $0.formUnion($1.keys) } }
    }

    private let http: HTTPClient
    private let patience: TimeAmount
    private let state = NIOLockedValueBox((counts: Counts(), isOver: false))

    private init(http: HTTPClient, patience: TimeAmount) {
        self.http = http
        self.patience = patience
    }

    package var counts: Counts { self.state.withLockedValue { $0.counts } }
    package var isOver: Bool { self.state.withLockedValue { $0.isOver } }

    /// Floods for as long as `body` runs.
    ///
    /// - Parameters:
    ///   - clients: how many ask at the same time.
    ///   - patience: how long a client waits for an answer.
    ///   - client: what one of them does, until ``isOver``; its number comes first.
    package static func with<R: Sendable>(
        clients: Int,
        patience: TimeAmount = .seconds(60),
        client: @escaping @Sendable (Int, Flood) async throws -> Void,
        _ body: (Flood) async throws -> R
    ) async throws -> R {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = clients
        configuration.httpVersion = .http1Only
        return try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let flood = Flood(http: http, patience: patience)
            do {
                return try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<clients { group.addTask { try await client(number, flood) } }
                    // Each ends with an answer.
                    defer { flood.state.withLockedValue { $0.isOver = true } }
                    let result = try await body(flood)
                    flood.state.withLockedValue { $0.isOver = true }
                    try await group.waitForAll()
                    return result
                }
            } catch {
                print("flood: \(flood.counts)")
                throw error
            }
        }
    }

    /// Sends one request and counts its answer under `what`.
    ///
    /// - Returns: status and body; `nil` when there was no answer.
    @discardableResult
    package func ask(_ what: String, _ request: HTTPClientRequest) async -> (status: Int, body: ByteBuffer)? {
        var answer: (status: Int, body: ByteBuffer)?
        var complaint: String?
        do {
            let response = try await self.http.execute(request, timeout: self.patience)
            let body = try await response.body.collect(upTo: 1 << 20)
            let status = Int(response.status.code)
            answer = (status, body)
            let isShed = status == 429 || status == 503
            let seconds = response.headers.first(name: "retry-after").flatMap { Int($0) }
            let isProblem = response.headers.first(name: "content-type") == "application/problem+json"
            if isShed, seconds == nil || !isProblem { complaint = "\(status) \(response.headers) \(String(buffer: body))" }
        } catch {
            complaint = "\(error)"
        }
        let (status, said) = (answer?.status, complaint)
        self.state.withLockedValue { state in
            state.counts.answers[what, default: [:]][status, default: 0] += 1
            guard let said else { return }
            if status != nil { state.counts.unclear += 1 }
            if state.counts.complaints.count < 10 { state.counts.complaints.append("\(what): \(said)") }
        }
        return answer
    }
}
