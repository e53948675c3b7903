import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct SweeperTests {
    private func put(_ here: Storeroom, _ key: String, _ text: String = "12345") async throws {
        _ = try await here.s3.putObject(
            bucket: here.bucket,
            key: key,
            body: ByteBuffer(string: text),
            attributes: S3ObjectAttributes(contentType: "text/plain")
        )
    }

    /// A day and an hour later everything that a test made is old.
    private func sweeper(_ here: Storeroom, hoursAhead: Double = 25) -> Sweeper {
        var sweeper = Sweeper(connections: here.connections, logger: .quiet)
        sweeper.ahead = hoursAhead * 3600
        return sweeper
    }

    private func count(_ here: Storeroom, _ table: String) async throws -> Int {
        try await here.queue.client.query(SQL(unescaped: "select count(*) as count from s3file.\(table)"))[0]["count", Int.self]
    }

    @Test func `stale tmp objects go, page by page; live, young and other objects stay`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("live")
            for index in 0..<1_010 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            try await self.put(here, "elsewhere/x")

            let early = try #require(try await self.sweeper(here, hoursAhead: 0).sweep())
            #expect(early.listed == 1_011 && early.removed == 0 && early.kept == 0)

            let pages = NIOLockedValueBox<[Int]>([])
            let late = try #require(
                try await self.sweeper(here).sweep { summary in pages.withLockedValue { $0.append(summary.listed) } }
            )
            #expect(
                late.listed == 1_011 && late.removed == 1_010 && late.bytesFreed == 5_050 && late.kept == 1 && late.failed == 0
            )
            #expect(pages.withLockedValue { $0 } == [1_000, 1_011])
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.count == 1)
            let others = try await here.keys(prefix: "elsewhere/")
            #expect(others == ["elsewhere/x"])
            let state = try #require(try await self.sweeper(here).state())
            #expect(state.listed == 1_011 && state.removed == 1_010 && state.bytesFreed == 5_050 && state.expiresAt == nil)
        }
    }

    @Test func `a hostile key is removed like any other`() async throws {
        try await Storeroom.with { here in
            let keys = [
                "tmp/s3file/f/../../../x", "tmp/s3file/f//y", "tmp/s3file/100%.txt", "tmp/s3file/a&b<c>", "tmp/s3file/é",
                "tmp/s3file/e\u{301}",
            ]
            for key in keys { try await self.put(here, key) }
            let summary = try #require(try await self.sweeper(here).sweep())
            #expect(summary.removed == keys.count && summary.failed == 0)
            let left = try await here.keys()
            #expect(left.isEmpty)
        }
    }

    @Test func `a look at what would go touches nothing, and says the same as what then goes`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("live")
            for index in 0..<5 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            let upload = try await here.s3.createMultipartUpload(bucket: here.bucket, key: "tmp/s3file/f/video")
            _ = try await here.s3.uploadPart(
                bucket: here.bucket,
                key: "tmp/s3file/f/video",
                uploadID: upload,
                number: 1,
                body: ByteBuffer(string: "1234567")
            )
            let before = try await here.keys()
            let preview = try await self.sweeper(here).preview()
            #expect(preview.removed == 5 && preview.bytesFreed == 25 && preview.kept == 1)
            #expect(preview.uploadsGivenUp == 1 && preview.partBytesFreed == 7)
            #expect(try await here.keys() == before)
            #expect(try await self.count(here, "upload") == 1)
            #expect(try await self.count(here, "sweep") == 0)
            #expect(try await here.s3.listMultipartUploads(bucket: here.bucket).uploads.count == 1)
            #expect(try await self.sweeper(here).sweep() == preview)
        }
    }

    @Test func `uploads in parts that nobody ended are given up, and others of the bucket are left alone`() async throws {
        try await Storeroom.with { here in
            for key in ["tmp/s3file/f/video", "elsewhere/video"] {
                let upload = try await here.s3.createMultipartUpload(bucket: here.bucket, key: key)
                let body = ByteBuffer(string: "12345")
                _ = try await here.s3.uploadPart(bucket: here.bucket, key: key, uploadID: upload, number: 1, body: body)
            }
            let early = try #require(try await self.sweeper(here, hoursAhead: 0).sweep())
            #expect(early.uploadsGivenUp == 0)
            let late = try #require(try await self.sweeper(here).sweep())
            #expect(late.uploadsGivenUp == 1 && late.partBytesFreed == 5)
            let left = try await here.s3.listMultipartUploads(bucket: here.bucket).uploads
            #expect(left.map(\.key) == ["elsewhere/video"])
        }
    }

    // MARK: Many at once

    @Test func `of many processes one has the pass, and looks once an interval`() async throws {
        try await Storeroom.with { here in
            for index in 0..<20 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            let sweeper = self.sweeper(here)
            let passes = try await withThrowingTaskGroup(of: SweepSummary?.self) { group in
                for _ in 0..<8 { group.addTask { try await sweeper.sweepInTurn(every: .seconds(3600)) } }
                return try await group.reduce(into: [SweepSummary]()) { if let pass = $1 { $0.append(pass) } }
            }
            #expect(passes.map(\.removed) == [20])
            #expect(try await sweeper.sweepInTurn(every: .seconds(3600)) == nil)
            // By hand it is looked at in any case, unless somebody is at it.
            #expect(try await sweeper.sweep()?.listed == 0)
            let pass = try await here.queue.beginSweep(
                bucket: here.bucket,
                prefix: "tmp/s3file/",
                holder: "another",
                every: .zero,
                anew: true
            )
            #expect(pass != nil)
            #expect(try await sweeper.sweep() == nil)
        }
    }

    @Test func `a pass whose process was killed is gone on with by another, behind what was done`() async throws {
        try await Storeroom.with { here in
            for index in 100..<110 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            let pass = try #require(
                try await here.queue.beginSweep(
                    bucket: here.bucket,
                    prefix: "tmp/s3file/",
                    holder: "killed",
                    every: .seconds(3600)
                )
            )
            #expect(try await here.queue.keep(pass, after: "tmp/s3file/orphan/103", listed: 4, removed: 4, bytesFreed: 20))
            #expect(try await self.sweeper(here).sweepInTurn(every: .seconds(3600)) == nil)
            _ = try await here.queue.client.query("update s3file.sweep set expires_at = now() - interval '1 second'")
            let rest = try #require(try await self.sweeper(here).sweepInTurn(every: .seconds(3600)))
            #expect(rest.listed == 6 && rest.removed == 6)
            // Whoever comes back has nothing to say any more.
            #expect(try await !here.queue.keep(pass, after: "tmp/s3file/orphan/109"))
            let state = try #require(try await self.sweeper(here).state())
            #expect(state.listed == 10 && state.removed == 10 && state.bytesFreed == 50)
        }
    }

    @Test func `a pass that was taken over ends at the next page`() async throws {
        try await Storeroom.with { here in
            for index in 0..<1_010 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            // The only page that it gets to is the one during which it lost the pass.
            _ = try await here.queue.client.query(
                """
                create function s3file.steal() returns trigger language plpgsql as
                $$ begin if new.listed > old.listed then return null; end if; return new; end $$
                """
            )
            _ = try await here.queue.client.query(
                "create trigger steal before update on s3file.sweep for each row execute function s3file.steal()"
            )
            let summary = try #require(try await self.sweeper(here).sweepInTurn(every: .seconds(3600)))
            #expect(summary.listed == 1_000 && summary.removed == 1_000)
            #expect(try await here.keys().count == 10)
        }
    }

    // MARK: A form that comes at the same time

    @Test func `a form that comes between the look and the mark has its object`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("late")
            // As the sweep saw it before the form came.
            let entry = try #require(try await here.s3.listObjects(bucket: here.bucket).objects.first)
            var summary = SweepSummary()
            try await self.sweeper(here).removal(isDry: false).remove(
                [TmpEntry(key: entry.key, size: entry.size, etag: entry.etag, lastModified: entry.lastModified)],
                &summary
            )
            #expect(summary.removed == 0 && summary.kept == 1)
            guard case .stored = try await here.move() else { throw Unexpected("not stored") }
            #expect(try await here.keys(prefix: "docs/").count == 1)
        }
    }

    @Test func `a transaction that is open holds up its own key, and no other, and is not the one that fails`() async throws {
        try await Storeroom.with { here in
            for index in 0..<50 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            let head = try await here.s3.headObject(bucket: here.bucket, key: "tmp/s3file/orphan/7")
            let summary = try await here.queue.client.withTransaction { app in
                _ = try await app.query(
                    """
                    select s3file.enqueue(bucket => \(here.bucket), tmp_key => 'tmp/s3file/orphan/7', etag => \(head.etag), size => 5,
                                          key => 'docs/seven')
                    """
                )
                return try await self.sweeper(here).sweep()
            }
            #expect(summary?.removed == 49 && summary?.busy == 1 && summary?.failed == 0)
            #expect(try await here.keys(prefix: "tmp/") == ["tmp/s3file/orphan/7"])
            guard case .stored = try await here.move() else { throw Unexpected("not stored") }
        }
    }

    @Test func `a form that comes after the mark is told so, before the object is deleted and after`() async throws {
        try await Storeroom.with { here in
            try await self.put(here, "tmp/s3file/f/late")
            let promise = UploadPromise(
                id: .version7(),
                field: "docs",
                tmpBucket: here.bucket,
                tmpKey: "tmp/s3file/f/late",
                filename: "x",
                size: 5,
                contentType: "text/plain",
                etag: "\"e\"",
                versionID: nil,
                owner: nil,
                requestedKey: "docs/late"
            )
            _ = try await here.queue.expire(tmpBucket: here.bucket, objects: [("tmp/s3file/f/late", 5, "\"e\"")])
            for _ in 0..<2 {
                let late = await #expect(throws: PostgresError.self) { try await here.queue.enqueue([promise], hold: nil) }
                #expect(late?.sqlState == "SF410")
                _ = try await self.sweeper(here).sweep()
            }
            #expect(try await here.keys().isEmpty)
            #expect(try await self.count(here, "job") == 0)
        }
    }

    // MARK: Versions and conditions

    @Test func `in a bucket with versions all of them go, and none of a key that an upload claims or that is young`() async throws
    {
        try await Storeroom.with { here in
            try await here.s3.putBucketVersioning(here.bucket, isEnabled: true)
            let id = try await here.upload("live")
            let live = try #require(try await here.keys(prefix: "tmp/").first)
            try await self.put(here, live, "posted again")
            for text in ["one", "two"] { try await self.put(here, "tmp/s3file/f/twice", text) }
            try await self.put(here, "tmp/s3file/f/hidden")
            try await here.s3.deleteObject(bucket: here.bucket, key: "tmp/s3file/f/hidden")

            let late = try #require(try await self.sweeper(here).sweep())
            // Two versions of one key, and a version and its delete marker of the other.
            #expect(late.removed == 4 && late.kept == 2 && late.bytesFreed == 11)
            let left = try await here.s3.listObjectVersions(bucket: here.bucket, prefix: "tmp/").entries
            #expect(left.map(\.key) == [live, live])
            guard case .stored = try await here.move() else { throw Unexpected("not stored") }
            #expect(try await here.queue.upload(id) != nil)
        }
    }

    @Test func `while one version of a key is young all of them stay, also over the end of a page`() {
        let limit = Date(timeIntervalSince1970: 1_000)
        func entry(_ key: String, _ version: String?, at seconds: Double) -> TmpEntry {
            TmpEntry(key: key, size: 1, etag: "e", lastModified: Date(timeIntervalSince1970: seconds), versionID: version)
        }
        var young: [UInt8] = []
        let first = Sweeper.old(
            [entry("a", "2", at: 1), entry("a", "1", at: 0), entry("b", "2", at: 2_000), entry("b", "1", at: 3)],
            limit,
            &young
        )
        #expect(first.map(\.key) == ["a", "a"])
        let second = Sweeper.old([entry("b", "0", at: 2), entry("c", "0", at: 2)], limit, &young)
        #expect(second.map(\.key) == ["c"])
    }

    @Test func `an object that was put anew since it was listed is left for another pass`() async throws {
        try await Storeroom.with { here in
            try await self.put(here, "tmp/s3file/f/x")
            let seen = try #require(try await here.s3.listObjects(bucket: here.bucket).objects.first)
            try await self.put(here, "tmp/s3file/f/x", "others")
            var summary = SweepSummary()
            try await self.sweeper(here).removal(isDry: false).remove(
                [TmpEntry(key: seen.key, size: seen.size, etag: seen.etag, lastModified: seen.lastModified)],
                &summary
            )
            #expect(summary.removed == 0 && summary.busy == 1 && summary.failed == 0)
            #expect(try await here.text(at: "tmp/s3file/f/x") == "others")
        }
    }
}
