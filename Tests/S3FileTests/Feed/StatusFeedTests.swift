import Foundation
import Logging
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(2))) struct StatusFeedTests {
    /// A feed that runs as in a web process, and the queue by connections of its own, as of other processes.
    private func withFeed<R: Sendable>(
        maximum: Int = 1_000,
        listenURL: String? = nil,
        by path: (String) -> String = { $0 },
        _ body: (UploadQueue, StatusFeed) async throws -> R
    ) async throws -> R {
        try await withMigratedDatabase { client, url in
            try await self.withFeed(on: path(url), listenURL: listenURL, maximum: maximum) { feed in
                try await body(UploadQueue(client: client), feed)
            }
        }
    }

    private func withFeed<R: Sendable>(
        on url: String,
        listenURL: String?,
        maximum: Int = 1_000,
        runs: Bool = true,
        _ body: (StatusFeed) async throws -> R
    ) async throws -> R {
        let configuration = try S3FileConfiguration(
            databaseURL: url,
            bucket: "media",
            endpointURL: "http://127.0.0.1:9",
            credentials: .keys(accessKeyID: "test", secretAccessKey: "test"),
            secrets: ["a secret that is long enough for a test"],
            listenURL: listenURL
        )
        let connections = try Connections(configuration: configuration, logger: .quiet)
        let feed = StatusFeed(backend: connections, maximum: maximum, logger: .quiet)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await connections.run() }
            if runs { group.addTask { await feed.run() } }
            defer { group.cancelAll() }
            return try await body(feed)
        }
    }

    /// What comes next, of one upload.
    private func next(_ watch: StatusWatch, within seconds: Int = 20) async -> [UploadStatus] {
        guard case .changes(let changed, _, _) = await watch.news(until: .now + .seconds(seconds)) else { return [] }
        return changed.map(\.status)
    }

    private func listeners(_ queue: UploadQueue) async throws -> [Int32] {
        try await queue.client.query(
            """
            select pid from pg_stat_activity
             where datname = current_database() and query ilike 'listen %' and pid <> pg_backend_pid()
            """
        ).map { try $0["pid", Int32.self] }
    }

    @Test func `claims and settles are told as they happen to all who watch, by one listening connection`() async throws {
        try await self.withFeed { queue, feed in
            let worker = try await queue.register(host: "test", pid: 1, version: "0")
            let uploads = try await queue.enqueue((0..<20).map { _ in .example() })
            let watches = try uploads.flatMap { upload in try (0..<10).map { _ in try #require(feed.watch([upload])) } }
            try await eventually("it listens") { try await self.listeners(queue).count == 1 }
            let jobs = try await queue.claim(worker: worker, room: 100)
            try await queue.notifyOfStatuses()
            for watch in watches { #expect(await self.next(watch) == [.moving]) }
            _ = try await queue.settle(jobs.map { ($0, .stored(etag: "\"e\"", versionID: nil)) }, worker: worker)
            try await queue.notifyOfStatuses()
            for watch in watches { #expect(await self.next(watch) == [.stored]) }
            #expect(try await self.listeners(queue).count == 1)
        }
    }

    @Test func `what plain SQL does is found by the poll, without a notification`() async throws {
        try await self.withFeed { queue, feed in
            let upload = try await queue.enqueue([.example()])[0]
            let watch = try #require(feed.watch([upload]))
            try await eventually("a look without news") { feed.looks > 1 }
            _ = try await queue.client.query("select s3file.cancel(\(upload.id))")
            #expect(await self.next(watch) == [.cancelled])
        }
    }

    @Test func `an event that became visible after later ones is not missed`() async throws {
        try await self.withFeed { queue, feed in
            let uploads = try await queue.enqueue([.example(), .example()])
            let (late, early) = (uploads[0], uploads[1])
            let watches = try uploads.map { try #require(feed.watch([$0])) }
            // What was there before the first look is no gap.
            try await eventually("a look without news") { feed.looks > 1 }
            try await queue.client.withTransaction { transaction in
                _ = try await transaction.query("select s3file.cancel(\(late.id))")
                // Its event has a larger id, and is there first.
                try await queue.cancel([early.id])
                #expect(await self.next(watches[1]) == [.cancelled])
            }
            let looks = feed.looks
            #expect(await self.next(watches[0]) == [.cancelled])
            // By the next looks, not by reading everything now and then: that would take as many as there are seconds in its pause.
            #expect(feed.looks - looks <= 3)
        }
    }

    @Test func `how far a copy is, which makes no event, is told while it moves`() async throws {
        try await self.withFeed { queue, feed in
            let worker = try await queue.register(host: "test", pid: 1, version: "0")
            let id = try await queue.enqueue([.example()])[0].id
            let job = try await queue.claim(worker: worker, room: 1)[0]
            let upload = try #require(try await queue.upload(id))
            let watch = try #require(feed.watch([upload]))
            try await queue.progress(of: job, worker: worker, copied: 2)
            guard case .changes(let changed, _, _) = await watch.news(until: .now + .seconds(20)) else {
                Issue.record("no news")
                return
            }
            #expect(changed.map(\.progress.copied) == [2])
        }
    }

    @Test func `while nobody waits Postgres is not asked`() async throws {
        try await self.withFeed { queue, feed in
            let upload = try await queue.enqueue([.example()])[0]
            do {
                let watch = try #require(feed.watch([upload]))
                try await eventually("it looks") { feed.looks > 1 }
                #expect(await watch.news(until: .now) == .nothing)
            }
            #expect(feed.count == 0)
            // One may be under way.
            try await eventually("the last look") { [looks = feed.looks] in
                try await Task.sleep(for: .milliseconds(1_500))
                return feed.looks == looks
            }
        }
    }

    @Test func `more than may wait are refused, and are admitted when another leaves`() async throws {
        try await self.withFeed(maximum: 2) { queue, feed in
            let upload = try await queue.enqueue([.example()])[0]
            var watches = (0..<3).map { _ in feed.watch([upload]) }
            #expect(watches.map { $0 == nil } == [false, false, true])
            watches[0] = nil
            #expect(feed.watch([upload]) != nil)
        }
    }

    @Test func `a wait that is cancelled ends, and so do all when the feed does`() async throws {
        try await withMigratedDatabase { client, url in
            let upload = try await UploadQueue(client: client).enqueue([.example()])[0]
            let watches = try await self.withFeed(on: url, listenURL: nil) { feed in
                let watches = try (0..<2).map { _ in try #require(feed.watch([upload])) }
                let waiting = Task { await watches[0].news(until: .now + .seconds(60)) }
                try await eventually("it waits") { feed.parkedCount == 1 }
                waiting.cancel()
                #expect(await waiting.value == .ended)
                #expect(feed.parkedCount == 0)
                return watches
            }
            #expect(await watches[1].news(until: .now + .seconds(60)) == .ended)
        }
    }

    @Test func `a wait ends at its time also where the feed does not run`() async throws {
        try await withMigratedDatabase { client, url in
            let upload = try await UploadQueue(client: client).enqueue([.example()])[0]
            try await self.withFeed(on: url, listenURL: nil, runs: false) { feed in
                let watch = try #require(feed.watch([upload]))
                let began = ContinuousClock.now
                #expect(await watch.news(until: began + .milliseconds(600)) == .nothing)
                #expect((Duration.milliseconds(600)..<Duration.seconds(5)).contains(ContinuousClock.now - began))
                #expect(feed.looks == 0)
            }
        }
    }

    @Test func `when the listening connection is lost it goes on by looking, and listens again`() async throws {
        try await self.withFeed { queue, feed in
            let upload = try await queue.enqueue([.example()])[0]
            let watch = try #require(feed.watch([upload]))
            let first = try await eventually { try await self.listeners(queue).first }
            _ = try await queue.client.query("select pg_terminate_backend(\(first))")
            try await queue.cancel([upload.id])
            #expect(await self.next(watch) == [.cancelled])
            try await eventually("another listens") { try await self.listeners(queue).contains { $0 != first } }
        }
    }

    @Test func `behind a transaction pooler and without a way to listen it works by looking`() async throws {
        try await withMigratedDatabase { client, url in
            try await Pgbouncer.with(to: url) { pooled in
                try await self.withFeed(on: pooled, listenURL: nil) { feed in
                    let queue = UploadQueue(client: client)
                    let upload = try await queue.enqueue([.example()])[0]
                    let watch = try #require(feed.watch([upload]))
                    try await eventually("a look") { feed.looks > 0 }
                    try await queue.cancel([upload.id])
                    #expect(await self.next(watch) == [.cancelled])
                }
            }
        }
    }

    @Test func `Postgres that is away for a while costs no news`() async throws {
        try await withMigratedDatabase { client, url in
            try await withFaultProxy(to: url) { proxy in
                try await self.withFeed(on: proxy.url, listenURL: nil) { feed in
                    let queue = UploadQueue(client: client)
                    let upload = try await queue.enqueue([.example()])[0]
                    let watch = try #require(feed.watch([upload]))
                    try await eventually("a look") { feed.looks > 1 }
                    proxy.fault = .refuse
                    proxy.cut()
                    try await queue.cancel([upload.id])
                    #expect(await watch.news(until: .now + .milliseconds(1_500)) == .nothing)
                    proxy.fault = .none
                    #expect(await self.next(watch) == [.cancelled])
                }
            }
        }
    }

    @Test func `the events are found by their index, however many there are`() async throws {
        try await withQueue { queue, _ in
            _ = try await queue.client.query(
                """
                insert into s3file.event (upload_ids, states, attempts)
                select array[gen_random_uuid()], array[1::smallint], array[1::smallint] from generate_series(1, 20000)
                """
            )
            let newest = try await queue.newestEvents()
            #expect(newest.max() == 20_000 && newest.count == 500)
            let events = try await queue.events(after: 19_990, gaps: [1, 2, 3], limit: 1_000)
            #expect(events.map(\.id) == [1, 2, 3] + Array(19_991...20_000))
            #expect(try await queue.events(after: 0, gaps: [], limit: 7).map(\.id) == Array(1...7))
            let plan = try await queue.client.query(
                """
                explain (format text) select event_id, array_agg(upload_id) as uploads from (
                    select event_id, upload_id from s3file.upload_event where event_id > 19990 union all
                    select event_id, upload_id from s3file.upload_event where event_id = any('{1,2,3}')) e
                 group by event_id order by event_id limit 500
                """
            ).map { try $0["QUERY PLAN", String.self] }.joined(separator: "\n")
            #expect(!plan.contains("Seq Scan on event"), "\(plan)")
        }
    }

    @Test func `a replay ends where it is too long ago`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            _ = try await queue.claim(worker: worker, room: 1)
            #expect(try await queue.events(of: [id], after: 0).map(\.status) == [.moving])
            _ = try await queue.client.query(
                """
                insert into s3file.event (upload_ids, states, attempts)
                select array[gen_random_uuid()], array[1::smallint], array[1::smallint] from generate_series(1, 5000)
                """
            )
            #expect(try await queue.events(of: [id], after: 0) == [])
            #expect(try await queue.events(of: [id], after: .max) == [])
        }
    }

    @Test func `a replay reads no more than so many changes of uploads, however few the events are`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            _ = try await queue.claim(worker: worker, room: 1)
            func note(_ events: Int, of uploads: Int) async throws {
                _ = try await queue.client.query(
                    """
                    insert into s3file.event (upload_ids, states, attempts)
                    select array_agg(gen_random_uuid()), array_agg(1::smallint), array_agg(1::smallint)
                      from generate_series(1, \(Int64(events))) e, generate_series(1, \(Int64(uploads))) group by e
                    """
                )
            }
            try await note(19, of: 1_000)
            #expect(try await queue.events(of: [id], after: 0).map(\.status) == [.moving])
            try await note(1, of: 1_000)
            #expect(try await queue.events(of: [id], after: 0) == [])
        }
    }
}
