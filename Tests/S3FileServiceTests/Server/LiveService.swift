import AsyncHTTPClient
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import S3File
import ServiceLifecycle
import TestEnvironment

@testable import S3FileService

/// A service that listens.
struct LiveService: Sendable {
    /// Nil for a socket.
    let port: Int?
    /// Ends it as SIGTERM does.
    let stop: @Sendable () async -> Void

    var address: String { "http://127.0.0.1:\(self.port ?? 0)" }

    static func with<R: Sendable>(
        uploads: Uploads,
        configuration: ServiceConfiguration,
        _ body: @Sendable (LiveService) async throws -> R
    ) async throws -> R {
        let state = NIOLockedValueBox<(isListening: Bool, hasEnded: Bool, port: Int?)>((false, false, nil))
        let service = try UploadService(uploads: uploads, configuration: configuration, logger: .quiet) { port in
            state.withLockedValue { $0 = (true, false, port) }
        }
        let group = ServiceGroup(configuration: .init(services: [service], logger: .quiet))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { state.withLockedValue { $0.hasEnded = true } }
                try await group.run()
            }
            let result: Result<R, any Error>
            do {
                try await eventually("the service listens, or says why not") {
                    state.withLockedValue { $0.isListening || $0.hasEnded }
                }
                guard state.withLockedValue({ $0.isListening }) else { throw ProgramError(description: "it did not begin") }
                let live = LiveService(port: state.withLockedValue { $0.port }, stop: { await group.triggerGracefulShutdown() })
                result = .success(try await body(live))
            } catch {
                result = .failure(error)
            }
            await group.triggerGracefulShutdown()
            // That it could not begin says more than that nobody listened.
            try await tasks.waitForAll()
            return try result.get()
        }
    }

    func request(_ method: HTTPMethod, _ path: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: self.address + path)
        request.method = method
        request.headers = ["Authorization": "Bearer \(ServiceSite.key)", "Content-Type": "application/json"]
        return request
    }

    static func send(_ request: HTTPClientRequest) async throws -> (status: Int, text: String) {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (Int(response.status.code), String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }
}
