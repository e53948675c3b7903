import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// What the database itself refuses, whoever writes to it and in whatever language; each refusal names the column and the rule.
@Suite struct BadInputTests {
    @Test(arguments: [
        ("size => -1", "size: 0 to 53687091200000 bytes"),
        ("size => 53687091200001", "size: 0 to 53687091200000 bytes"),
        ("tmp_key => 'a/../b'", "tmp_key: no empty, . or .. part, backslash or control character"),
        ("tmp_key => 'a//b'", "tmp_key: no empty, . or .. part, backslash or control character"),
        ("tmp_key => ''", "tmp_key: 1 to 1024 bytes"),
        ("key => '/a'", "key: no empty, . or .. part, backslash or control character"),
        ("key => 'a/'", "key: no empty, . or .. part, backslash or control character"),
        ("key => '.'", "key: no empty, . or .. part, backslash or control character"),
        ("key => 'a/..'", "key: no empty, . or .. part, backslash or control character"),
        ("key => E'a\\nb'", "key: no empty, . or .. part, backslash or control character"),
        ("key => E'a\\\\b'", "key: no empty, . or .. part, backslash or control character"),
        ("key => repeat('a', 1025)", "key: 1 to 1024 bytes"),
        ("key => repeat('ü', 513)", "key: 1 to 1024 bytes"),
        ("etag => ''", "etag: 1 to 255 bytes"),
        ("version_id => repeat('v', 1025)", "version_id: at most 1024 bytes"),
        ("metadata => '[]'", "metadata: a JSON object"),
        ("metadata => jsonb_build_object('a', repeat('x', 9000))", "metadata: at most 8192 bytes"),
        ("owner => repeat('x', 256)", "owner: at most 255 bytes"),
        ("filename => repeat('x', 1025)", "filename: at most 1024 bytes"),
        ("content_type => repeat('x', 256)", "content_type: at most 255 bytes"),
        ("field => repeat('x', 65)", "field: at most 64 bytes"),
        ("field => E'a\\tb'", "field: no control character"),
        ("tmp_bucket => 'media', bucket => 'x'", "bucket: 3 to 255 bytes"),
        ("tmp_bucket => 'x'", "tmp_bucket: 3 to 255 bytes"),
        ("max_attempts => 0::smallint", "max_attempts: 1 or more"),
    ])
    func `a value out of bounds is refused by a rule that names its column`(argument: String, rule: String) async throws {
        let error = try await self.refusal(of: argument)
        #expect(error.constraintName == rule)
        #expect(error.sqlState == "23514")
    }

    @Test(arguments: [
        ("queue => 'nowhere'", "23503", "queue"), ("key => null", "23502", "key"),
        ("upload_id => gen_random_uuid()", "23514", "upload_id"),
        ("run_at => 'infinity'", "23514", "run_at"), ("run_at => '-infinity'", "23514", "run_at"),
        ("key => 'tmp/s3file/f/x'", "23514", "key"), ("size => null", "23502", "size"),
        ("filed => 'docs'", "42883", "filed"), ("priority => 70000", "42883", "enqueue"),
    ])
    func `what is missing, unknown or misspelt is refused by name`(argument: String, sqlState: String, name: String) async throws
    {
        let error = try await self.refusal(of: argument)
        #expect(error.sqlState == sqlState)
        #expect(error.columnName == name || error.message.contains(name))
    }

    @Test func `a NUL byte is refused by the client before it is sent, and by the database in its escaped forms`() async throws {
        try await withQueue { queue, _ async throws in
            let sent = await #expect(throws: PostgresError.self) { try await queue.enqueue([.example(filename: "a\0b")]) }
            #expect(sent?.code == .invalidParameter)
            #expect(try await self.refusal(of: "filename => E'a\\x00b'").sqlState == "22021")
            #expect(try await self.refusal(of: "metadata => '{\"a\": \"\\u0000\"}'").sqlState == "22P05")
        }
    }

    @Test(arguments: [
        "name => 'a b'", "name => ''", "name => 'ok', max_in_flight => 0, fair => true", "name => 'ok', max_in_flight => 5",
    ])
    func `a queue that makes no sense is refused`(arguments: String) async throws {
        try await withQueue { queue, _ in
            let error = await #expect(throws: PostgresError.self) { try await queue.setQueue(arguments) }
            #expect(error?.sqlState == "23514")
        }
    }

    /// The error of `s3file.enqueue` with one argument other than it should be; nothing may be left of it.
    private func refusal(of argument: String) async throws -> PostgresError {
        try await withQueue { queue, _ in
            let given = argument.matches(of: /(\w+) =>/).map { String($0.1) }
            let good = [
                "bucket => 'media'", "tmp_key => 'tmp/s3file/f/x'", "etag => '\"e\"'", "key => 'a/x'", "size => 1",
                "filename => 'x'",
            ].filter { !given.contains(String($0.prefix { $0 != " " })) }
            let call = SQL(unescaped: "select s3file.enqueue(\((good + [argument]).joined(separator: ", ")))")
            let error = await #expect(throws: PostgresError.self) { try await queue.client.query(call) }
            let left = try await queue.client.query("select count(*) as n from s3file.upload")[0]["n", Int.self]
            #expect(left == 0)
            return try #require(error)
        }
    }

    @Test func `arrays of different lengths are refused, not filled up with nothing`() async throws {
        try await withQueue { queue, worker in
            let short = await #expect(throws: PostgresError.self) {
                try await queue.client.query(
                    """
                    select * from s3file.enqueue_many(array['media', 'media'], array['tmp/1', 'tmp/2'], array['e', 'e'], array[1, 1]::bigint[],
                        array['a/1', 'a/2'], array[null, null], array[null, null], array[null, null], owners => array['me'])
                    """
                )
            }
            #expect(short?.sqlState == "22023")
            let settle = await #expect(throws: PostgresError.self) {
                try await queue.client.query(
                    "select * from s3file.settle(\(worker), array[gen_random_uuid()], array[1, 2]::smallint[], array['stored'])"
                )
            }
            #expect(settle?.sqlState == "22023")
        }
    }

    @Test func `nobody settles a job that nobody has`() async throws {
        try await withQueue { queue, _ in
            let id = try await queue.enqueue([.example()])[0].id
            for worker in [0, -1] as [Int64] {
                let error = await #expect(throws: PostgresError.self) {
                    try await queue.client.query(
                        "select * from s3file.settle(\(worker), array[\(id)], array[0]::smallint[], array['stored'])"
                    )
                }
                #expect(error?.sqlState == "22023")
            }
            #expect(try await queue.upload(id)?.status == .queued)
        }
    }
}
