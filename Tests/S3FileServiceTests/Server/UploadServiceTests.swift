import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3File
import S3FileTesting
import TestEnvironment
import Testing

@testable import S3FileService

/// The service as it listens.
@Suite(.timeLimit(.minutes(2)))
struct UploadServiceTests {
    private func with(
        configure: (inout ServiceConfiguration) -> Void = { _ in },
        _ body: @Sendable (LiveService) async throws -> Void
    ) async throws {
        let site = try ServiceSite(configure: configure)
        try await LiveService.with(uploads: site.uploads, configuration: site.configuration, body)
    }

    private static let drawing = #"{"field": "report", "subject": null}"#

    /// A request whose body has begun, and whose rest comes when `finish` is called.
    private func slow(_ service: LiveService) -> (request: HTTPClientRequest, finish: @Sendable () -> Void) {
        let (body, writer) = AsyncStream.makeStream(of: ByteBuffer.self)
        writer.yield(ByteBuffer(string: "{\"field\": "))
        var request = service.request(.POST, "/v1/inputs")
        request.body = .stream(body, length: .known(Int64(Self.drawing.utf8.count)))
        return (
            request,
            {
                writer.yield(ByteBuffer(string: "\"report\", \"subject\": null}"))
                writer.finish()
            }
        )
    }

    /// Runs `body` while a request has the only place, and returns how that was answered.
    private func whileServing(
        _ service: LiveService,
        _ body: (_ refusal: (status: Int, text: String)) async throws -> Void
    ) async throws -> (status: Int, text: String) {
        // Of two that come at the same time one has the place, and the other is refused: that is when it is taken.
        let (one, other) = (self.slow(service), self.slow(service))
        return try await withThrowingTaskGroup(of: (status: Int, text: String).self) { group in
            for request in [one.request, other.request] { group.addTask { try await LiveService.send(request) } }
            let refusal = try #require(try await group.next())
            try await body(refusal)
            one.finish()
            other.finish()
            return try #require(try await group.next())
        }
    }

    @Test func `as many requests are served at a time as may be, and one more is told so at once`() async throws {
        try await self.with(configure: { $0.maximumRequests = 1 }) { service async throws in
            let served = try await self.whileServing(service) { refusal in
                #expect(refusal.status == 503 && refusal.text.contains("\"code\":\"busy\""), "\(refusal)")
                let fields = try await LiveService.send(service.request(.GET, "/v1/fields"))
                #expect(fields.status == 503)
                // What browsers need has places of its own, and health needs none.
                let input = try await LiveService.send(service.request(.POST, "/s3file/inputs"))
                #expect(input.status == 415)
                let live = try await LiveService.send(service.request(.GET, "/health/live"))
                #expect(live.status == 200)
            }
            #expect(served.status == 200, "\(served)")
            #expect(try await LiveService.send(service.request(.GET, "/v1/fields")).status == 200)
        }
    }

    @Test func `a body that does not come in time is given up`() async throws {
        try await self.with(configure: { $0.bodyTimeout = .milliseconds(200) }) { service in
            let (request, finish) = self.slow(service)
            let answer = try await LiveService.send(request)
            #expect(answer.status == 408 && answer.text.contains("\"code\":\"too_slow\""), "\(answer)")
            finish()
        }
    }

    @Test func `at the end what is being served is finished`() async throws {
        try await self.with(configure: { $0.maximumRequests = 1 }) { service async throws in
            let served = try await self.whileServing(service) { _ in await service.stop() }
            #expect(served.status == 200, "\(served)")
        }
    }

    @Test func `a socket is for its user and group, is one process's alone, and goes with it`() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path + "/s"
            let configuration = try ServiceSite(configure: { $0.address = .socket(path: path) })
            try await LiveService.with(uploads: configuration.uploads, configuration: configuration.configuration) { _ in
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o660)
                var request = HTTPClientRequest(url: "http+unix://" + path.replacing("/", with: "%2F") + "/v1/fields")
                request.headers = ["Authorization": "Bearer \(ServiceSite.key)"]
                #expect(try await LiveService.send(request).status == 200)
                let second = try ServiceSite(configure: { $0.address = .socket(path: path) })
                await #expect {
                    try await LiveService.with(uploads: second.uploads, configuration: second.configuration) { _ in }
                } throws: {
                    "\($0)".contains("another process listens there")
                }
                #expect(try await LiveService.send(request).status == 200)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test func `a socket that a killed process left is taken, a file is not`() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path + "/s"
            let (_, code) = try await Program.output(
                "python3",
                ["-c", "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()", path]
            )
            #expect(code == 0 && FileManager.default.fileExists(atPath: path))
            let site = try ServiceSite(configure: { $0.address = .socket(path: path) })
            try await LiveService.with(uploads: site.uploads, configuration: site.configuration) { _ in }

            try Data("mine".utf8).write(to: folder.appending(path: "s"))
            let other = try ServiceSite(configure: { $0.address = .socket(path: path) })
            await #expect {
                try await LiveService.with(uploads: other.uploads, configuration: other.configuration) { _ in }
            } throws: {
                "\($0)".contains("a file that is no socket is there")
            }
            #expect(try String(contentsOf: folder.appending(path: "s"), encoding: .utf8) == "mine")
        }
    }

    @Test func `a port that is taken is named in a sentence`() async throws {
        try await self.with { service async throws in
            let second = try ServiceSite(configure: { $0.address = .host("127.0.0.1", port: service.port ?? 0) })
            await #expect {
                try await LiveService.with(uploads: second.uploads, configuration: second.configuration) { _ in }
            } throws: {
                ($0 as? ConfigurationError)?.message.contains("is in use: stop what listens there") == true
            }
        }
    }
}
