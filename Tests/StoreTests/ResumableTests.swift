import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
@testable import S3File
import TestEnvironment
import Testing

/// What a browser does to send a large file in parts, on each store.
@Suite(.timeLimit(.minutes(3))) struct ResumableTests {
    private static let field = UploadField(
        "video",
        uploadTo: "videos/",
        accept: [.video],
        maximumSize: .gigabytes(100),
        resumable: .whenNeeded
    )
    private static let size = ResumableUpload.smallestPart + 1_000
    /// Begins as an MP4 does.
    private static let first = ByteBuffer(
        bytes: [0, 0, 0, 24] + Array("ftypisom".utf8) + Array(repeating: 7, count: Int(ResumableUpload.smallestPart) - 12)
    )
    private static let last = ByteBuffer(repeating: 8, count: 1_000)

    private struct Site {
        let bucket: StoreBucket
        let uploads: Uploads
        var resumable: ResumableUploads { self.uploads.resumable }

        func begin(_ ticket: String) async throws -> (upload: ResumableUpload, token: String) {
            try await self.resumable.begin(ticket: ticket, size: ResumableTests.size, contentType: "video/mp4")
        }

        /// Sends a part as a browser does, to a URL made for it.
        func put(_ url: String, _ body: ByteBuffer) async throws -> Int {
            var request = HTTPClientRequest(url: url)
            request.method = .PUT
            request.body = .bytes(body)
            let response = try await self.bucket.httpClient.execute(request, timeout: .seconds(60))
            _ = try await response.body.collect(upTo: 1 << 16)
            return Int(response.status.code)
        }

        func url(_ number: Int, _ token: String) async throws -> String {
            try #require(try await self.resumable.urls(of: [number], token: token).first?.url)
        }
    }

    private func withSite(_ store: KnownStore, _ body: (Site, String) async throws -> Void) async throws {
        try await store.withBucket { here in
            let configuration = try S3FileConfiguration(
                // No step asks it.
                databaseURL: "postgresql://nobody@127.0.0.1:1/none",
                bucket: here.name,
                endpointURL: here.endpoint,
                credentials: .keys(accessKeyID: here.credentials.accessKeyID, secretAccessKey: here.credentials.secretAccessKey),
                secrets: ["a secret of these tests, and of nothing else"]
            )
            let site = Site(bucket: here, uploads: try Uploads(configuration: configuration, logger: .quiet))
            try await body(site, try await site.uploads.input(Self.field, subject: "ada").ticket)
            let left = try await here.client.listMultipartUploads(bucket: here.name).uploads
            for upload in left {
                try await here.client.abortMultipartUpload(bucket: here.name, key: upload.key, uploadID: upload.uploadID)
            }
        }
    }

    private func refusal(_ body: () async throws -> some Any) async -> String {
        do {
            _ = try await body()
            return "none"
        } catch {
            return (error as? UploadError)?.code.rawValue ?? "\(error)"
        }
    }

    @Test(arguments: KnownStore.available)
    func `parts become the object that a form can bring, though the last was sent first and completing is repeated`(
        store: KnownStore
    ) async throws {
        try await self.withSite(store) { site, ticket in
            let (upload, token) = try await site.begin(ticket)
            #expect(upload.partCount == 2)
            let none = try await site.resumable.parts(token: token)
            #expect(none.isEmpty)
            #expect(try await site.put(site.url(2, token), Self.last) == 200)
            let one = try await site.resumable.parts(token: token)
            #expect(one == [2])
            #expect(await self.refusal { try await site.resumable.complete(token: token) } == "incomplete_upload")

            #expect(try await site.put(site.url(1, token), Self.first) == 200)
            for _ in 0..<2 {
                let completed = try await site.resumable.complete(token: token)
                #expect(completed == upload)
                let all = try await site.resumable.parts(token: token)
                #expect(all == [1, 2])
            }
            let form = FormBody(fields: [
                ("s3file", "video"), ("video-s3f-signature", ticket), ("video", upload.key), ("video-s3f-name", "holiday.mp4"),
            ])
            let promise = try #require(try await site.uploads.verify(form, fields: [Self.field], subject: "ada")["video"]?.first)
            #expect(promise.size == Self.size && promise.contentType == "video/mp4" && promise.filename == "holiday.mp4")
            let seam = try await site.bucket.client.getObject(
                bucket: site.bucket.name,
                key: upload.key,
                range: (upload.partSize - 1)...upload.partSize
            )
            let bytes = try await seam.collect(upTo: 10)
            #expect(Array(bytes.readableBytesView) == [7, 8])
            // What is complete cannot be given up any more, and to try is no error.
            try await site.resumable.abort(token: token)
            let head = try await site.bucket.head(upload.key)
            #expect(head.size == Self.size)
        }
    }

    @Test(arguments: KnownStore.available)
    func `a part's URL takes that part's bytes, in number and place, and only for a while`(store: KnownStore) async throws {
        try await self.withSite(store) { site, ticket in
            let (upload, token) = try await site.begin(ticket)
            let url = try await site.url(2, token)
            #expect((400..<500).contains(try await site.put(url, ByteBuffer(repeating: 8, count: 999))))
            #expect((400..<500).contains(try await site.put(url, ByteBuffer(repeating: 8, count: 1_001))))
            #expect((400..<500).contains(try await site.put(url.replacing("partNumber=2", with: "partNumber=3"), Self.last)))
            #expect((400..<500).contains(try await site.put(url.replacing(upload.key, with: "private/x"), Self.last)))
            let over = try await site.resumable.urls(of: [2], token: token, now: Date(timeIntervalSinceNow: -7_200))
            #expect((400..<500).contains(try await site.put(over[0].url, Self.last)))
            let none = try await site.resumable.parts(token: token)
            #expect(none.isEmpty)
            // One of another size, sent by who has the keys of the store, is no part of it.
            _ = try await site.bucket.client.uploadPart(
                bucket: site.bucket.name,
                key: upload.key,
                uploadID: upload.uploadID,
                number: 2,
                body: ByteBuffer(string: "short")
            )
            let still = try await site.resumable.parts(token: token)
            #expect(still.isEmpty)
        }
    }

    @Test(arguments: KnownStore.available)
    func `what was given up is gone, and a page cannot begin uploads without end`(store: KnownStore) async throws {
        try await self.withSite(store) { site, ticket in
            let (_, token) = try await site.begin(ticket)
            #expect(try await site.put(site.url(2, token), Self.last) == 200)
            try await site.resumable.abort(token: token)
            try await site.resumable.abort(token: token)
            #expect(await self.refusal { try await site.resumable.parts(token: token) } == "expired")
            #expect(await self.refusal { try await site.resumable.complete(token: token) } == "expired")
            for _ in 0..<5 { _ = try await site.begin(ticket) }
            #expect(await self.refusal { try await site.begin(ticket) } == "too_many_uploads")
            let other = try await site.uploads.input(Self.field, subject: "ada").ticket
            #expect(await self.refusal { try await site.begin(other) } == "none")
        }
    }

    @Test func `size, type, ticket and token are checked before the store is asked`() async throws {
        try await self.withSite(.devServer) { site, ticket in
            let resumable = site.resumable
            for (size, type, code) in [
                (0, "video/mp4", "too_large"), (-1, "video/mp4", "too_large"), (100_000_000_001, "video/mp4", "too_large"),
                (5, "text/html", "wrong_type"), (5, "", "wrong_type"), (5, "video/x\r\nx: y", "wrong_type"),
                (5, "video/" + String(repeating: "x", count: 250), "wrong_type"),
            ] as [(Int64, String, String)] {
                #expect(await self.refusal { try await resumable.begin(ticket: ticket, size: size, contentType: type) } == code)
            }
            let (_, token) = try await site.begin(ticket)
            for forged in ["", ticket, token + "A", String(token.reversed())] {
                #expect(await self.refusal { try await site.begin(forged + "x") } == "invalid_ticket")
                #expect(await self.refusal { try await resumable.parts(token: forged) } == "invalid_ticket")
                #expect(await self.refusal { try await resumable.urls(of: [1], token: forged) } == "invalid_ticket")
                #expect(await self.refusal { try await resumable.complete(token: forged) } == "invalid_ticket")
                #expect(await self.refusal { try await resumable.abort(token: forged) } == "invalid_ticket")
            }
            for numbers in [[], [0], [3], [1, -1], Array(repeating: 1, count: 101)] as [[Int]] {
                #expect(await self.refusal { try await resumable.urls(of: numbers, token: token) } == "malformed_form")
            }
            let late = Date(timeIntervalSinceNow: 13 * 3_600)
            #expect(
                await self.refusal {
                    try await resumable.begin(ticket: ticket, size: 5, contentType: "video/mp4", now: late)
                } == "expired_ticket"
            )
            // Nor does what was begun outlive its ticket.
            let later = Date(timeIntervalSinceNow: 12.1 * 3_600)
            #expect(await self.refusal { try await resumable.urls(of: [1], token: token, now: later) } == "expired")
        }
    }
}
