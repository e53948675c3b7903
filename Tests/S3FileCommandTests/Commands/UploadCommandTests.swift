import Foundation
import Postgres
import TestEnvironment
import Testing

@testable import S3File

/// `list`, `status`, `retry` and `cancel`, as an operator runs them.
@Suite struct UploadCommandTests {
    /// Fails the upload, or stores it, as a worker would.
    private func settle(_ queue: UploadQueue, _ outcome: Outcome, room: Int = 1) async throws -> [UUID] {
        let worker = try await queue.register(host: "test", pid: 1, version: "0")
        let jobs = try await queue.claim(worker: worker, room: room)
        _ = try await queue.settle(jobs.map { (job: $0, outcome: outcome) }, worker: worker)
        return jobs.map(\.id)
    }

    private func ids(_ text: String) -> [String] {
        text.matches(of: /"id":"([0-9a-f-]{36})"/).map { String($0.1) }
    }

    // MARK: list

    @Test func `list shows the newest first, by every filter, and goes on behind a page`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let failing = try await queue.enqueue([.example("bad.pdf", owner: "ann")])[0].id
            _ = try await self.settle(queue, .failed(code: "AccessDenied", message: "No."))
            let promises = (1...5).map { UploadPromise.example("\($0).pdf", owner: $0 % 2 == 0 ? "ann" : "bob") }
            for promise in promises { _ = try await queue.enqueue([promise]) }
            // Those of one millisecond are in no order.
            let newestFirst = promises.map { $0.id.uuidString.lowercased() }.sorted(by: >)
            let anns = [promises[3], promises[1]].map { $0.id.uuidString.lowercased() } + [failing.uuidString.lowercased()]

            let all = try await s3file("list", "--json")
            #expect(all.code == 0 && self.ids(all.text) == newestFirst + [failing.uuidString.lowercased()], "\(all.text)")
            let table = try await s3file("list")
            #expect(
                table.text.contains(/id +status +age +size +attempt +error +file/) && table.text.contains("AccessDenied  bad.pdf")
            )
            #expect(table.text.split(separator: "\n").count == 7)
            let failed = try await s3file("list", "--json", "--status", "failed", "--error-code", "AccessDenied")
            #expect(self.ids(failed.text) == [failing.uuidString.lowercased()])
            let queued = try await s3file("list", "--json", "--status", "queued", "--status", "moving")
            #expect(self.ids(queued.text) == newestFirst)
            let ann = try await s3file("list", "--json", "--owner", "ann")
            #expect(self.ids(ann.text) == anns)
            for (filter, count) in [
                (["--queue", "default"], 6), (["--queue", "other"], 0), (["--in-bucket", "media"], 6), (["--in-bucket", "x"], 0),
                (["--older-than", "1h"], 0), (["--newer-than", "1h"], 6), (["--error-code", "SlowDown"], 0),
            ] {
                let found = try await s3file.run(["list", "--json"] + filter)
                #expect(found.code == 0 && self.ids(found.text).count == count, "\(filter): \(found.text)")
            }
            let page = try await s3file("list", "--json", "--limit", "2")
            #expect(self.ids(page.text) == Array(newestFirst.prefix(2)))
            let next = try await s3file("list", "--json", "--limit", "2", "--after", newestFirst[1])
            #expect(self.ids(next.text) == Array(newestFirst[2..<4]))
            let hers = try await s3file("list", "--json", "--owner", "ann", "--after", anns[0])
            #expect(self.ids(hers.text) == Array(anns.dropFirst()))
        }
    }

    @Test func `list looks through many in short pages, and finds what is rare`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let rare = try await queue.enqueue([.example("rare.pdf")])[0].id
            try await queue.client.query(
                """
                insert into s3file.upload (id, state, filename, content_type, size, tmp_bucket, tmp_key, etag, tmp_deleted, bucket, key,
                       finished_at)
                select s3file.uuid_v7(), 2, 'x', 'text/plain', 1, 'media', 'tmp/s3file/many/' || i, '"e"', true, 'media', 'many/' || i, now()
                  from generate_series(1, 45000) i
                """
            )
            let error = try await s3file("list", "--json", "--error-code", "none", "--all")
            #expect(error.code == 0 && error.text.isEmpty, "\(error.text)")
            try await queue.client.query("update s3file.upload set error_code = 'rare' where id = \(rare)")
            let found = try await s3file("list", "--json", "--error-code", "rare")
            #expect(self.ids(found.text) == [rare.uuidString.lowercased()])
            let all = try await s3file("list", "--json", "--all")
            #expect(self.ids(all.text).count == 45_001)
        }
    }

    @Test func `names of files cannot break a table's lines`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            _ = try await queue.enqueue([.example("a\u{1B}[2Jb.pdf")])
            let table = try await s3file("list")
            #expect(table.text.contains("a\u{FFFD}[2Jb.pdf") && !table.text.contains("\u{1B}"))
        }
    }

    // MARK: status

    @Test func `status shows several, and waits for them`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let ids = try await queue.enqueue([.example("a.pdf"), .example("b.pdf")]).map { $0.id.uuidString.lowercased() }
            let both = try await s3file.run(["status", "--json"] + ids)
            #expect(both.code == 0 && self.ids(both.text) == ids)
            let impatient = try await s3file("status", ids[0], "--wait", "1s")
            #expect(impatient.code == 2 && impatient.text.contains("queued  a.pdf"))
            async let waiting = s3file.run(["status", "--wait", "1m"] + ids)
            _ = try await self.settle(queue, .stored(etag: "\"e\"", versionID: nil), room: 2)
            let stored = try await waiting
            #expect(
                stored.code == 0 && stored.text.contains("stored  a.pdf") && stored.text.contains("stored  b.pdf"),
                "\(stored)"
            )
            let none = UUID().uuidString.lowercased()
            let partly = try await s3file("status", ids[0], none)
            #expect(partly.code == 2 && partly.text.contains("a.pdf") && partly.text.contains("There is no upload \(none)."))
        }
    }

    // MARK: retry

    @Test func `retry takes failed ones up again, by id or by code, within a cap`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let promises = (0..<5).map { UploadPromise.example("\($0).pdf") }
            _ = try await queue.enqueue(promises)
            let failed = try await self.settle(queue, .failed(code: "AccessDenied", message: "No."), room: 4)
            let dry = try await s3file("retry", "--error-code", "AccessDenied", "--dry-run")
            #expect(dry.code == 0 && dry.text == "4 would be retried.")
            #expect(try await queue.uploads(failed).values.allSatisfy { $0.status == .failed })
            let two = try await s3file("retry", "--error-code", "AccessDenied", "--limit", "2")
            #expect(two.code == 0 && two.text == "2 retried.")
            #expect(try await queue.uploads(failed).values.count { $0.status == .queued } == 2)
            let other = try await s3file("retry", "--error-code", "SlowDown")
            #expect(other.code == 0 && other.text == "0 retried.")
            let rest = try await s3file("retry", "--all-failed", "--json")
            #expect(rest.code == 0 && rest.text.matches(of: /"retried":true/).count == 2, "\(rest.text)")
            let queued = try await s3file("retry", failed[0].uuidString)
            #expect(queued.code == 2 && queued.text.contains("It is queued.") && queued.text.contains("0 retried."))
            for wrong in [
                ["retry"], ["retry", failed[0].uuidString, "--all-failed"], ["retry", "--all-failed", "--limit", "0"],
                ["retry", "x"],
            ] {
                let refused = try await s3file.run(wrong)
                #expect(refused.code == 64, "\(wrong)")
            }
        }
    }

    @Test func `retry says that an upload whose bytes are gone cannot be taken up`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let id = try await queue.enqueue([.example()])[0].id
            _ = try await self.settle(queue, .failed(code: "AccessDenied", message: "No."))
            try await queue.client.query("update s3file.upload set tmp_deleted = true where id = \(id)")
            let gone = try await s3file("retry", id.uuidString)
            #expect(gone.code == 2 && gone.text.contains("Its bytes are gone"))
        }
    }

    // MARK: cancel

    @Test func `cancel withdraws what is queued, asks for what is moving, and says what has ended`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let ids = try await queue.enqueue([.example("a.pdf")]).map(\.id.uuidString) + [UUID().uuidString]
            let mixed = try await s3file.run(["cancel"] + ids)
            #expect(mixed.code == 2 && mixed.text.contains("cancelled") && mixed.text.contains("There is no such upload."))
            let again = try await s3file("cancel", ids[0])
            #expect(again.code == 2 && again.text.contains("It is cancelled."))
            let moving = try await queue.enqueue([.example("b.pdf")])[0].id
            let worker = try await queue.register(host: "test", pid: 1, version: "0")
            _ = try await queue.claim(worker: worker, room: 1)
            let asked = try await s3file("cancel", "--json", moving.uuidString)
            #expect(asked.code == 0 && asked.text.contains(#""result":"requested""#))
        }
    }
}
