import Foundation
import Postgres
import Testing

@testable import S3File

@Suite struct StorageTests {
    @Test func `settings are read as they were written`() throws {
        var all = StorageSettings(
            cacheControl: "no-store",
            contentDisposition: "inline",
            storageClass: "GLACIER_IR",
            encryption: .kms(keyID: "arn:aws:kms:x"),
            acl: "bucket-owner-full-control",
            metadata: ["a": "b"],
            tags: ["ü": "文"]
        )
        all.accept = ["image/*"]
        for settings in [all, StorageSettings(), StorageSettings(encryption: .s3), StorageSettings(encryption: .kms(keyID: nil))]
        {
            #expect(try JSONDecoder().decode(StorageSettings.self, from: JSONEncoder().encode(settings)) == settings)
        }
    }

    @Test func `a job carries the settings that its promise had`() async throws {
        try await withQueue { queue, worker in
            let storage = StorageSettings(cacheControl: "private", tags: ["a": "1"])
            let kept = try await queue.enqueue([.example(storage: storage)])[0].id
            let several = try await queue.enqueue([
                .example(storage: storage), .example(), .example(storage: StorageSettings(acl: "private")),
            ])
            let jobs = try await queue.claim(worker: worker, room: 10, queues: nil, lanes: nil)
            let byID = Dictionary(uniqueKeysWithValues: jobs.map { ($0.id, $0.storage) })
            #expect(byID[kept] == storage)
            #expect(several.map { byID[$0.id] ?? nil } == [storage, nil, StorageSettings(acl: "private")])
        }
    }

    @Test func `settings are taken only while an upload waits`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            func say() async throws -> Int64 {
                try await queue.client.query("select s3file.store_as(array[\(id)], '{\"acl\": \"private\"}') as count")[0][
                    "count",
                    Int64.self
                ]
            }
            #expect(try await say() == 1)
            _ = try await queue.claim(worker: worker, room: 1, queues: nil, lanes: nil)
            #expect(try await say() == 0)
        }
    }

    @Test(arguments: [
        #"[]"#, #"{"x": "1"}"#, #"{"cacheControl": 1}"#, #"{"cacheControl": null}"#, #"{"cacheControl": ["a"]}"#,
        #"{"acl": "a\r\nb: c"}"#,
        #"{"contentDisposition": "ü"}"#, #"{"encryption": "none"}"#, #"{"kmsKeyId": "x"}"#, #"{"accept": "image/*"}"#,
        #"{"accept": ["a,b"]}"#, #"{"accept": [["a/b"]]}"#, #"{"accept": [1]}"#, #"{"tags": []}"#, #"{"tags": {"a": 1}}"#,
        #"{"tags": {"": "1"}}"#, #"{"tags": {"a": "b&c"}}"#, #"{"tags": {"a": ["b"]}}"#, #"{"metadata": {"a b": "1"}}"#,
        #"{"metadata": {"s3file-upload": "1"}}"#, #"{"metadata": {"A": "1"}}"#, #"{"tags": {"a": "b\nc"}}"#,
        #"{"metadata": {"a": "ü"}}"#, #"{"metadata": {"a": ["b"]}}"#,
        #"{"tags": {"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","10":"","11":""}}"#,
        "{\"cacheControl\": \"\(String(repeating: "x", count: 8_200))\"}",
    ])
    func `settings that S3 would refuse, or that would split a request, are refused when they are said`(json: String) async throws
    {
        try await withQueue { queue, _ in
            let id = try await queue.enqueue([.example()])[0].id
            let error = await #expect(throws: PostgresError.self) {
                try await queue.client.query("select s3file.store_as(array[\(id)], \(JSON(json)))")
            }
            #expect(error?.sqlState == "23514" && error?.constraintName?.hasPrefix("storage: ") == true)
        }
    }

    @Test func `a worker of the version before gets no upload that is to be stored in a special way`() async throws {
        try await withQueue { queue, worker in
            let special = try await queue.enqueue([.example(storage: StorageSettings(acl: "private"))])[0].id
            let plain = try await queue.enqueue([.example()])[0].id
            let old = try await queue.client.query("select id from s3file.claim(worker => \(worker), room => 10)")
            #expect(try old.map { try $0["id", UUID.self] } == [plain])
            let new = try await queue.claim(worker: worker, room: 10, queues: nil, lanes: nil)
            #expect(new.map(\.id) == [special])
        }
    }

    @Test func `a plan is noted by whoever holds the attempt, and by nobody else`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example()])
            let job = try #require(try await queue.claim(worker: worker, room: 1, queues: nil, lanes: nil).first)
            let plan = MovePlan(
                multipartUploadID: "u1",
                partSize: 5 << 20,
                source: "d1",
                sourceModifiedAt: Date(timeIntervalSince1970: 1_700_000_000)
            )
            #expect(try await queue.movePlan(of: job.id) == nil)
            #expect(try await queue.note(plan, of: job, worker: worker))
            #expect(try await queue.movePlan(of: job.id) == plan)
            var other = plan
            other.multipartUploadID = "u2"
            #expect(try await !queue.note(other, of: job, worker: worker + 1))
            _ = try await queue.settle([(job, .givenBack)], worker: worker)
            #expect(try await !queue.note(other, of: job, worker: worker))
            #expect(try await queue.movePlan(of: job.id) == plan)
            #expect(try await queue.abandonedMoves(limit: 10).isEmpty)

            // Once the upload has ended, what is left may be given up: but not a plan that was made since.
            try await queue.cancel([job.id])
            let abandoned = try await queue.abandonedMoves(limit: 10)
            #expect(abandoned.map(\.multipartUploadID) == ["u1"])
            var stale = abandoned
            stale[0].multipartUploadID = "u0"
            try await queue.forget(stale)
            #expect(try await queue.abandonedMoves(limit: 10).count == 1)
            try await queue.forget(abandoned)
            #expect(try await queue.movePlan(of: job.id) == nil)
        }
    }
}
