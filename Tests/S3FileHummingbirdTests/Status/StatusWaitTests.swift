import HTTPTypes
import Postgres
import NIOCore
import NIOHTTP1
import AsyncHTTPClient
import Foundation
import Hummingbird
import HummingbirdTesting
import S3File
@testable import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(2))) struct StatusWaitTests {
    private func withServer(_ body: @escaping @Sendable (TestSite, Int) async throws -> Void) async throws {
        try await withSite { site async throws in
            try await site.statusApp().test(.live) { client async throws in
                try await body(site, try #require(client.port))
            }
        }
    }

    @Test func `a wait ends with the change, for one and for several, and is no wait when things stand otherwise already`()
        async throws
    {
        try await self.withServer { site, port async throws in
            let worker = try await site.worker()
            let uploads = try await site.enqueue(3)
            for path in [site.path(of: uploads[0]), "/s3file/uploads?" + site.query(uploads)] {
                try await withEventClient { client in
                    let (first, text) = try await client.get(port, path + "&wait=30")
                    let before = path.contains("token=") ? #""status":"queued""# : #""status":"moving""#
                    #expect(first.status == .ok && text.contains(before))
                    let tag = try #require(first.headers.first(name: "ETag"))
                    let began = ContinuousClock.now
                    async let waiting = client.get(port, path + "&wait=30", [("If-None-Match", tag)])
                    try await eventually("somebody waits") { site.uploads.feed.count == 1 }
                    if path.contains("token=") {
                        _ = try await site.claim(worker)
                    } else {
                        try await site.uploads.cancel([uploads[2].id])
                        try await site.settle(try await site.jobs(worker), .stored(etag: "\"e\"", versionID: nil), worker)
                    }
                    let (changed, news) = try await waiting
                    #expect(changed.status == .ok && changed.headers.first(name: "ETag") != tag)
                    #expect(!news.contains(#""status":"queued""#))
                    // Long before the wait would have been over.
                    #expect(ContinuousClock.now - began < .seconds(15))
                    #expect(try await client.get(port, path + "&wait=30", [("If-None-Match", tag)]).0.status == .ok)
                }
                try await eventually("nobody waits") { site.uploads.feed.count == 0 }
            }
        }
    }

    @Test func `a wait in vain ends with 304 when its time is over`() async throws {
        try await self.withServer { site, port async throws in
            let path = site.path(of: try await site.enqueue()[0])
            try await withEventClient { client in
                let tag = try #require(try await client.get(port, path).0.headers.first(name: "ETag"))
                let began = ContinuousClock.now
                let (response, text) = try await client.get(port, path + "&wait=1", [("If-None-Match", tag)])
                #expect(response.status == .notModified && text.isEmpty)
                #expect(ContinuousClock.now - began >= .seconds(1))
            }
        }
    }

    @Test func `a client that hangs up leaves nobody waiting for longer than it asked`() async throws {
        try await self.withServer { site, port async throws in
            let path = site.path(of: try await site.enqueue()[0])
            try await withEventClient { client in
                let tag = try #require(try await client.get(port, path).0.headers.first(name: "ETag"))
                let waiting = Task { try await client.get(port, path + "&wait=5", [("If-None-Match", tag)]) }
                try await eventually("it waits") { site.uploads.feed.count == 1 }
                waiting.cancel()
                try await eventually("it is gone", within: .seconds(15)) { site.uploads.feed.count == 0 }
            }
        }
    }
}

extension TestSite {
    /// What a worker holds.
    func jobs(_ worker: Int64) async throws -> [Job] {
        try await self.database.query("select upload_id, attempt from s3file.job where worker = \(worker)").map { row in
            Job(
                id: try row["upload_id", UUID.self],
                attempt: try row["attempt", Int16.self],
                maxAttempts: 12,
                filename: "",
                contentType: "",
                size: 0,
                tmpBucket: "",
                tmpKey: "",
                etag: "",
                versionID: nil,
                bucket: "",
                key: "",
                place: Lane(queue: "default", priority: 0, runAt: Date(), uploadID: try row["upload_id", UUID.self])
            )
        }
    }
}
