import Postgres
import NIOHTTP1
import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import S3File
@testable import S3FileHTTP
@testable import S3FileHummingbird
import ServiceLifecycle
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(3))) struct EventStreamTests {
    private func withServer(
        pace: StatusStream.Pace = StatusStream.Pace(),
        _ body: @escaping @Sendable (TestSite, Int, HTTPClient) async throws -> Void
    ) async throws {
        try await withSite { site async throws in
            try await withEventClient { client in
                try await site.statusApp(pace: pace).test(.live) { test async throws in
                    try await body(site, try #require(test.port), client)
                }
            }
        }
    }

    @Test func `the stream tells how things stand, then each change, and ends when all have ended`() async throws {
        try await self.withServer { site, port, client in
            let worker = try await site.worker()
            let uploads = try await site.enqueue(2)
            var reader = try await client.events(port, site.eventsPath(uploads))
            let headers = reader.response.headers
            #expect(reader.response.status == .ok && headers.first(name: "Content-Type") == "text/event-stream")
            #expect(headers.first(name: "X-Accel-Buffering") == "no")
            #expect(headers.first(name: "Cache-Control") == "no-cache, no-transform")
            #expect(try await reader.next()?.retry == 2_000)
            for upload in uploads {
                let event = try #require(try await reader.next())
                #expect(event.name == "status" && event.status == "queued 0")
                #expect(event.json["id"] as? String == upload.id.uuidString.lowercased())
            }
            let jobs = try await site.claim(worker)
            for _ in uploads { #expect(try await reader.nextStatus()?.status == "moving 1") }
            try await site.settle([jobs[0]], .stored(etag: "\"e\"", versionID: nil), worker)
            let stored = try #require(try await reader.nextStatus())
            #expect(stored.status == "stored 1" && (stored.json["url"] as? String)?.contains("X-Amz-Signature=") == true)
            try await site.settle([jobs[1]], .failed(code: "source_changed", message: "It\nchanged."), worker)
            let failed = try #require(try await reader.nextStatus())
            #expect(
                failed.status == "failed 1" && (failed.json["error"] as? [String: Any])?["message"] as? String == "It\nchanged."
            )
            #expect(try await reader.rest() == [])
            try await eventually("nobody waits") { site.uploads.feed.count == 0 }

            // The browser comes back, and is told to stay away.
            let again = try await client.events(port, site.eventsPath(uploads), lastEventID: failed.id)
            #expect(again.response.status == .noContent)
            let polyfill = try await client.events(port, site.eventsPath(uploads, "&lastEventId=\(failed.id ?? "")"))
            #expect(polyfill.response.status == .noContent)
        }
    }

    @Test func `who comes back by Last-Event-ID is told what it missed, and nothing that it knows`() async throws {
        try await self.withServer { site, port, client in
            let worker = try await site.worker()
            let uploads = try await site.enqueue(2)
            // One event at least, so that there is something to come back to.
            let other = try await site.enqueue()[0]
            try await site.uploads.cancel([other.id])
            var reader = try await client.events(port, site.eventsPath(uploads))
            _ = try await reader.nextStatus()
            let last = try #require(try await reader.nextStatus()?.id)
            for outcome in [
                Outcome.retry(code: "SlowDown", message: "Slow down.", delay: .zero), .stored(etag: "\"e\"", versionID: nil),
            ] {
                try await site.settle(try await site.claim(worker), outcome, worker)
            }
            var back = try await client.events(port, site.eventsPath(uploads), lastEventID: last)
            let told = try await back.rest().filter { $0.name == "status" }
            for upload in uploads {
                let own = told.filter { $0.json["id"] as? String == upload.id.uuidString.lowercased() }
                #expect(own.map(\.status) == ["moving 1", "queued 1", "moving 2", "stored 2"])
            }
            // As a browser whose connection broke in the middle of that.
            var middle = try await client.events(port, site.eventsPath(uploads), lastEventID: told[3].id)
            #expect(try await middle.restOfStatuses().map(\.status) == told[4...].map(\.status))
        }
    }

    @Test(arguments: [
        "x", "1~s1", "99999999999~q0.q0.q0", "9223372036854775807~-.-", "0~-.-", String(repeating: "1~", count: 20_000),
    ])
    func `a Last-Event-ID that is none of ours is as none`(id: String) async throws {
        try await self.withServer { site, port, client in
            let uploads = try await site.enqueue(2)
            try await site.uploads.cancel(uploads.map(\.id))
            var reader = try await client.events(port, site.eventsPath(uploads), lastEventID: id)
            #expect(try await reader.rest().map(\.status).filter { $0 != "none " } == ["cancelled 0", "cancelled 0"])
        }
    }

    @Test func `who may read nothing makes the server read nothing, and a replay is of what may be read`() async throws {
        try await withSite { site async throws in
            let worker = try await site.worker()
            let uploads = try await site.enqueue(2)
            try await site.settle(try await site.claim(worker), worker: worker)
            try await withEventClient { client in
                let app = site.statusApp(authorise: { _, _, upload in upload.id == uploads[0].id })
                try await app.test(.live) { test async throws in
                    let port = try #require(test.port)
                    let both = "/s3file/events?" + uploads.map { "upload=\($0.id)" }.joined(separator: "&")
                    var reader = try await client.events(port, both, lastEventID: "1~q0.q0")
                    let told = try await reader.restOfStatuses()
                    #expect(Set(told.map { $0.json["id"] as? String }) == [uploads[0].id.uuidString.lowercased()])
                    #expect(told.map(\.status) == ["stored 1"] || told.map(\.status) == ["moving 1", "stored 1"])
                }
                // Where events cannot be read, only who has a right is told that.
                _ = try await site.database.query("alter view s3file.upload_event rename to hidden")
                try await site.statusApp().test(.live) { test async throws in
                    let port = try #require(test.port)
                    for last in [nil, "1~q0"] {
                        let stranger = "/s3file/events?upload=\(uploads[0].id.uuidString.lowercased()).x"
                        #expect(try await client.events(port, stranger, lastEventID: last).response.status == .notFound)
                        let own = site.eventsPath([uploads[0]])
                        #expect(try await client.events(port, own, lastEventID: last).response.status == .serviceUnavailable)
                    }
                }
            }
        }
    }

    @Test func `what a stream began with is not kept for as long as it is sent`() async throws {
        try await withSite { site async throws in
            let uploads = try await site.enqueue(3)
            let stream = StatusStream(
                uploads: site.uploads,
                pace: .init(),
                start: .init(
                    order: uploads.map(\.id),
                    known: uploads,
                    replay: StatusReplay(order: uploads.map(\.id), uploads: uploads, events: [], last: nil),
                    last: LastEventID(position: 0, told: uploads.map { _ in nil }),
                    position: 0,
                    watch: site.uploads.feed.watch(uploads)
                )
            )
            do {
                var pieces = stream.makeAsyncIterator()
                let first = try #require(try await pieces.next())
                #expect(String(buffer: first).hasSuffix("event: beat\ndata: 2\n\n"))
                #expect(stream.hasBegun && site.uploads.feed.count == 1)
            }
            // Whoever sends it has it still.
            #expect(site.uploads.feed.count == 0)
            var again = stream.makeAsyncIterator()
            #expect(try await again.next() == nil)
        }
    }

    @Test func `who sends a header as HTTP/1 has it is told that the connection ends with the stream`() async throws {
        try await self.withServer { site, port, client in
            let uploads = try await site.enqueue()
            try await site.uploads.cancel(uploads.map(\.id))
            for (name, told) in [("User-Agent", "close"), ("user-agent", nil)] as [(String, String?)] {
                let (response, _) = try await client.get(port, site.eventsPath(uploads), [(name, "test")])
                #expect(response.headers.first(name: "Connection") == told, "\(name)")
            }
        }
    }

    @Test func `silence is broken by beats, the first of them after how things stand`() async throws {
        try await self.withServer(pace: .init(heartbeat: .milliseconds(300))) { site, port, client in
            let uploads = try await site.enqueue()
            var reader = try await client.events(port, site.eventsPath(uploads))
            var events: [ServerEvent] = []
            // However late they come on a busy machine.
            while events.count(where: { $0.name == "beat" }) < 4, let event = try await reader.next() { events.append(event) }
            #expect(events.count { $0.name == "beat" && $0.data == "1" } == 4)
            #expect(events.first { $0.name == "beat" } == events.drop { $0.name != "status" }.dropFirst().first)
        }
    }

    @Test func `a stream ends after its time, to be opened anew`() async throws {
        try await self.withServer(pace: .init(life: .seconds(1))) { site, port, client in
            let uploads = try await site.enqueue()
            var reader = try await client.events(port, site.eventsPath(uploads))
            let events = try await reader.rest()
            #expect((500...4_000).contains(events.last?.retry ?? 0))
            #expect(reader.response.headers.first(name: "Connection") == "close")
            let again = try await client.events(port, site.eventsPath(uploads), lastEventID: events.last { $0.id != nil }?.id)
            #expect(again.response.status == .ok)
        }
    }

    @Test func `clients that hang up free what they had`() async throws {
        try await self.withServer { site, port, client in
            let uploads = try await site.enqueue()
            let reading = (0..<20).map { _ in
                Task {
                    var reader = try await client.events(port, site.eventsPath(uploads))
                    _ = try await reader.rest()
                }
            }
            try await eventually("all wait") { site.uploads.feed.count == 20 }
            for task in reading { task.cancel() }
            try await eventually("they are gone", within: .seconds(10)) { site.uploads.feed.count == 0 }
        }
    }

    @Test func `a server that stops ends its streams, and is not held up by them`() async throws {
        try await withSite { site async throws in
            try await withEventClient { client in
                let uploads = try await site.enqueue()
                let began = try await site.statusApp().test(.live) { test async throws in
                    let port = try #require(test.port)
                    let reading = (0..<5).map { _ in
                        Task {
                            var reader = try await client.events(port, site.eventsPath(uploads))
                            return try await reader.rest()
                        }
                    }
                    try await eventually("all wait") { site.uploads.feed.count == 5 }
                    return (ContinuousClock.now, reading)
                }
                #expect(ContinuousClock.now - began.0 < .seconds(10))
                for task in began.1 {
                    // An orderly end, with the advice when to come back.
                    #expect((500...4_000).contains(try await task.value.last?.retry ?? 0))
                }
            }
        }
    }

    @Test func `beyond the limit streams and waits are refused with 503, and answers at once go on`() async throws {
        try await withSite(configure: { $0.statusStreams = 2 }) { site async throws in
            try await withEventClient { client in
                try await site.statusApp().test(.live) { test async throws in
                    let port = try #require(test.port)
                    let upload = try await site.enqueue()[0]
                    var readers: [EventReader] = []
                    for _ in 0..<2 { readers.append(try await client.events(port, site.eventsPath([upload]))) }
                    let refused = try await client.events(port, site.eventsPath([upload]))
                    #expect(
                        refused.response.status == .serviceUnavailable && refused.response.headers.contains(name: "Retry-After")
                    )
                    let (plain, _) = try await client.get(port, site.path(of: upload))
                    #expect(plain.status == .ok)
                    let tag = try #require(plain.headers.first(name: "ETag"))
                    let (waiting, _) = try await client.get(port, site.path(of: upload, "&wait=5"), [("If-None-Match", tag)])
                    #expect(waiting.status == .serviceUnavailable)
                    try await site.uploads.cancel([upload.id])
                    for index in readers.indices { _ = try await readers[index].rest() }
                    #expect(try await client.events(port, site.eventsPath([upload])).response.status == .ok)
                }
            }
        }
    }

    @Test func `a client that does not read is given up`() async throws {
        let waiting = AsyncStream<Void>.makeStream()
        struct StuckWriter: ResponseBodyWriter {
            let waiting: AsyncStream<Void>
            mutating func write(_ buffer: ByteBuffer) async throws {
                for await _ in self.waiting {}
                try Task.checkCancellation()
            }
            consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
        }
        let writer = PatientWriter(StuckWriter(waiting: waiting.stream), patience: .milliseconds(100))
        let pieces = AsyncThrowingStream<ByteBuffer, any Error> { $0.yield(ByteBuffer(string: ":\n\n")) }
        await #expect(throws: CancellationError.self) {
            try await writer.write(pieces)
        }
    }

    @Test func `three hundred clients at once are told each step of theirs, forward only, by few questions to Postgres`()
        async throws
    {
        let count = 300
        try await self.withServer { site, port, client in
            let worker = try await site.worker()
            let uploads = try await site.enqueue(count)
            let looks = site.uploads.feed.looks
            try await withThrowingTaskGroup(of: [String].self) { group in
                for upload in uploads {
                    group.addTask {
                        var reader = try await client.events(port, site.eventsPath([upload]))
                        return try await reader.restOfStatuses().map(\.status)
                    }
                }
                try await eventually("all wait", within: .seconds(60)) { site.uploads.feed.count == count }
                let jobs = try await site.claim(worker)
                #expect(jobs.count == count)
                try await eventually("some have seen it") { site.uploads.feed.looks > looks + 2 }
                let listening = try await site.database.query(
                    "select count(*) as count from pg_stat_activity where datname = current_database() and query ilike 'listen %'"
                )[0]["count", Int.self]
                #expect(listening == 1)
                for batch in 0..<3 { try await site.settle(Array(jobs[(batch * 100)..<(batch * 100 + 100)]), worker: worker) }
                for try await statuses in group {
                    #expect([["queued 0", "moving 1", "stored 1"], ["queued 0", "stored 1"]].contains(statuses), "\(statuses)")
                }
            }
            // Of the order of the time it took, not of the clients.
            #expect(site.uploads.feed.looks - looks < count / 2)
            try await eventually("nobody waits") { site.uploads.feed.count == 0 }
        }
    }
}

extension EventReader {
    mutating func restOfStatuses() async throws -> [ServerEvent] {
        try await self.rest().filter { $0.name == "status" }
    }
}

extension TestSite {
    func settle(_ jobs: [Job], worker: Int64) async throws {
        try await self.settle(jobs, .stored(etag: "\"e\"", versionID: nil), worker)
    }
}
