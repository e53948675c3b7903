import AsyncHTTPClient
import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOHTTP1
import Postgres
import S3File
@testable import S3FileHTTP
@testable import S3FileHummingbird
import TestEnvironment
import Testing

/// The overview as it changes, over sockets.
@Suite(.timeLimit(.minutes(2))) struct DashboardStreamTests {
    private static let path = "/internal/admin/events"

    private func withServer(
        pace: OverviewStream.Pace = .init(),
        _ body: @escaping @Sendable (TestSite, OverviewFeed, Int, HTTPClient) async throws -> Void
    ) async throws {
        try await withSite { site async throws in
            let feed = try #require(site.uploads.overview)
            try await withEventClient { client in
                try await site.dashboardApp(pace: pace).test(.live) { test async throws in
                    try await body(site, feed, try #require(test.port), client)
                }
            }
        }
    }

    @Test func `a change arrives by itself, and what is sent is what the page would show`() async throws {
        try await self.withServer { site, _, port, client in
            var reader = try await client.events(port, Self.path)
            #expect(reader.response.headers.first(name: "Content-Type") == "text/event-stream")
            #expect(reader.response.headers.first(name: "X-Accel-Buffering") == "no")
            #expect(try await reader.next()?.retry == 2_000)
            #expect((try await reader.next()?.json["html"] as? String)?.contains("Nothing has failed") == true)
            try await site.end(2, TestSite.denied)
            var html = ""
            while !html.contains("2 uploads have failed."), let event = try await reader.next() {
                html = event.json["html"] as? String ?? html
            }
            #expect(html.contains("AccessDenied") && !html.contains("<form"))
        }
    }

    @Test func `however many watch, the database is asked once a second, and not at all when they have gone`() async throws {
        try await self.withServer { _, feed, port, client in
            let start = ContinuousClock.now
            let reading = (0..<20).map { _ in
                Task {
                    var reader = try await client.events(port, Self.path)
                    var count = 0
                    while count < 3, let event = try await reader.next() { count += event.name == "overview" ? 1 : 0 }
                    return count
                }
            }
            for task in reading { #expect(try await task.value == 3) }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(Double(feed.looks) <= seconds + 2, "\(feed.looks) looks in \(seconds) s")
            try await eventually("all have gone", within: .seconds(20)) { feed.count == 0 }
        }
    }

    @Test func `a server that stops ends its streams, and is not held up by them`() async throws {
        try await withSite { site async throws in
            let feed = try #require(site.uploads.overview)
            try await withEventClient { client in
                let began = try await site.dashboardApp().test(.live) { test async throws in
                    let port = try #require(test.port)
                    let reading = (0..<5).map { _ in
                        Task {
                            var reader = try await client.events(port, Self.path)
                            return try await reader.rest()
                        }
                    }
                    try await eventually("all watch") { feed.count == 5 }
                    return (ContinuousClock.now, reading)
                }
                #expect(ContinuousClock.now - began.0 < .seconds(10))
                for task in began.1 { #expect((500...4_000).contains(try await task.value.last?.retry ?? 0)) }
            }
        }
    }

    @Test func `a stream ends after its time, so that who lost the right to see does not see for ever`() async throws {
        try await self.withServer(pace: .init(heartbeat: .milliseconds(300), life: .seconds(3))) { _, _, port, client in
            var reader = try await client.events(port, Self.path)
            let events = try await reader.rest()
            #expect(events.contains { $0.name == "beat" } && events.contains { $0.name == "overview" })
            #expect((500...4_000).contains(events.last?.retry ?? 0))
        }
    }

    @Test func `beyond the limit streams are refused with 503, and pages go on`() async throws {
        try await self.withServer { _, feed, port, client in
            let watches = try (0..<OverviewFeed.mostWatchers).map { _ in try #require(feed.watch()) }
            let (refused, text) = try await client.get(port, Self.path)
            #expect(refused.status == .serviceUnavailable && refused.headers.contains(name: "Retry-After"))
            #expect(text.contains("too_many_streams"))
            #expect(try await client.get(port, "/internal/admin/").0.status == .ok)
            #expect(watches.count == OverviewFeed.mostWatchers)
        }
    }
}
