import HTTPTypes
import Postgres
import NIOCore
import NIOHTTP1
import AsyncHTTPClient
import Hummingbird
import HummingbirdTesting
import S3File
@testable import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

/// nginx as it is set up by default: HTTP/1.0 to the server, and answers kept until a buffer is full.
@Suite(.timeLimit(.minutes(2))) struct BufferingProxyTests {
    private func withProxy(
        settings: String = "",
        pace: StatusStream.Pace = StatusStream.Pace(),
        _ body: @escaping @Sendable (TestSite, Int, HTTPClient) async throws -> Void
    ) async throws {
        try await withSite { site async throws in
            try await site.statusApp(pace: pace).test(.live) { test async throws in
                try await Nginx.with(toPort: try #require(test.port), settings: settings) { port in
                    try await withEventClient { client in try await body(site, port, client) }
                }
            }
        }
    }

    @Test func `through a proxy that buffers each event comes when it happens`() async throws {
        try await self.withProxy { site, port, client in
            let worker = try await site.worker()
            let uploads = try await site.enqueue()
            var reader = try await client.events(port, site.eventsPath(uploads))
            #expect(try await reader.nextStatus()?.status == "queued 0")
            let jobs = try await site.claim(worker)
            // Read before anything more happens, so it was not held back.
            #expect(try await reader.nextStatus()?.status == "moving 1")
            try await site.settle(jobs, worker: worker)
            #expect(try await reader.restOfStatuses().map(\.status) == ["stored 1"])
            // A client of the proxy that hangs up is noticed behind it.
            let more = try await site.enqueue()
            let reading = Task {
                var reader = try await client.events(port, site.eventsPath(more))
                _ = try await reader.rest()
            }
            try await eventually("it waits") { site.uploads.feed.count == 1 }
            reading.cancel()
            try await eventually("it is gone", within: .seconds(10)) { site.uploads.feed.count == 0 }
        }
    }

    @Test func `through one that buffers whatever we say, waiting works, and the stream tells all at its end at the latest`()
        async throws
    {
        let settings = "proxy_ignore_headers X-Accel-Buffering; proxy_buffers 8 64k; proxy_buffer_size 64k;"
        try await self.withProxy(settings: settings, pace: .init(heartbeat: .milliseconds(500), life: .seconds(5))) {
            site,
            port,
            client in
            let worker = try await site.worker()
            let uploads = try await site.enqueue()
            let path = "/s3file/uploads?" + site.query(uploads)
            let stream = Task {
                var reader = try await client.events(port, site.eventsPath(uploads))
                return try await reader.restOfStatuses().map(\.status)
            }
            try await eventually("it streams") { site.uploads.feed.count == 1 }
            // What the page's script falls back to.
            let tag = try #require(try await client.get(port, path).0.headers.first(name: "ETag"))
            async let waiting = client.get(port, path + "&wait=20", [("If-None-Match", tag)])
            try await eventually("it waits") { site.uploads.feed.count == 2 }
            let claimed = ContinuousClock.now
            _ = try await site.claim(worker)
            let (response, text) = try await waiting
            #expect(response.status == .ok && text.contains(#""status":"moving""#))
            #expect(ContinuousClock.now - claimed < .seconds(10))
            // What comes with the head passes at once.
            #expect(try await stream.value == ["queued 0", "moving 1"])
        }
    }
}
