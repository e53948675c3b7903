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

    @Test func `as many requests are served at a time as may be, and one more is told so at once`() async throws {
        try await self.with(configure: { $0.maximumRequests = 1 }) { service async throws in
            let (request, finish) = self.slow(service)
            async let first = LiveService.send(request)
            let busy = try await eventually {
                let answer = try await LiveService.send(service.request(.GET, "/v1/fields"))
                return answer.status == 503 ? answer : nil
            }
            #expect(busy.text.contains("\"code\":\"busy\""), "\(busy.text)")
            // What browsers need has places of its own, and health none.
            #expect(try await LiveService.send(service.request(.POST, "/s3file/inputs")).status == 415)
            #expect(try await LiveService.send(service.request(.GET, "/health/live")).status == 200)
            finish()
            #expect(try await first.status == 200)
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
            let (request, finish) = self.slow(service)
            async let answer = LiveService.send(request)
            try await eventually("it has the only place") {
                try await LiveService.send(service.request(.GET, "/v1/fields")).status == 503
            }
            await service.stop()
            finish()
            #expect(try await answer.status == 200)
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
