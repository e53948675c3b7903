import Foundation
import NIOConcurrencyHelpers
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

/// A write of the key `k` that may depend on what is there.
enum ConditionalWrite: CaseIterable, Sendable {
    case putObject
    /// Small ones are copied in one step, and large ones in several.
    case copyObject, copyLargeObject
    case completeMultipartUpload
    case postObject

    /// Its content has 7 bytes, or 600,000.
    func send(
        to server: TestDevServer,
        _ condition: (name: String, value: String)
    ) async throws -> TestDevServer.Answer {
        switch self {
        case .putObject:
            return try await self.send("PUT", to: server, headers: [condition], body: "content")
        case .copyObject, .copyLargeObject:
            let source = self == .copyObject ? "small" : "large"
            let headers = [condition, (name: "x-amz-copy-source", value: "/\(server.bucket)/\(source)")]
            return try await self.send("PUT", to: server, headers: headers)
        case .completeMultipartUpload:
            let created = try await self.send("POST", to: server, query: [("uploads", "")])
            let id = String(created.body.firstMatch(of: #/<UploadId>(.*?)</#)?.1 ?? "")
            let query: [(name: String, value: String)] = [("partNumber", "1"), ("uploadId", id)]
            let part = try await self.send("PUT", to: server, query: query, body: "content")
            let list = "<Part><PartNumber>1</PartNumber><ETag>\(part.header("etag") ?? "")</ETag></Part>"
            return try await self.send(
                "POST",
                to: server,
                query: [("uploadId", id)],
                headers: [condition],
                body: "<CompleteMultipartUpload>\(list)</CompleteMultipartUpload>"
            )
        case .postObject:
            return try await server.post(server.bucket, "k", Array("content".utf8), fields: [condition])
        }
    }

    private func send(
        _ method: String,
        to server: TestDevServer,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        body: String = ""
    ) async throws -> TestDevServer.Answer {
        let path = "/\(server.bucket)/k"
        let signed = server.signed(method, path, query: query, headers: headers, payloadHash: "UNSIGNED-PAYLOAD")
        let suffix = query.isEmpty ? "" : "?" + URIEncoding.query(query)
        return try await server.send(method, path + suffix, headers: signed, body: Array(body.utf8))
    }
}

/// Holds a write of the key `k` up after its condition was looked at, and before it takes effect.
private struct Gate: Sendable {
    private enum State {
        case open
        /// For the next write.
        case armed
        case holding
    }

    private let state = ConditionLock(value: State.open)

    /// The server asks in the midst of a write, on one of its threads for the disk, how much older the object is to seem.
    func pass(_ key: String) -> TimeInterval {
        // Whoever comes while another is held goes through.
        guard key == "k", self.state.lock(whenValue: .armed, timeoutSeconds: 0) else { return 0 }
        self.state.unlock(withValue: .holding)
        // Not for ever, should the test have failed meanwhile.
        if self.state.lock(whenValue: .open, timeoutSeconds: 20) { self.state.unlock() }
        return 0
    }

    private func set(_ state: State) {
        self.state.lock()
        self.state.unlock(withValue: state)
    }

    /// What a write hears in whose midst the rival does its work.
    func race(
        _ write: @escaping @Sendable () async throws -> TestDevServer.Answer,
        against rival: () async throws -> Void
    ) async throws -> TestDevServer.Answer {
        self.set(.armed)
        async let answer = write()
        let isHeld = try await eventuallyTrue { self.state.value == .holding }
        #expect(isHeld)
        try await rival()
        self.set(.open)
        return try await answer
    }
}

@Suite struct ConditionRaceTests {
    @Test(arguments: ConditionalWrite.allCases)
    func `whatever write it is, one that loses while it goes on hears 409, and changes nothing`(
        write: ConditionalWrite
    ) async throws {
        let gate = Gate()
        try await TestDevServer.run(configure: {
            $0.minimumPartSize = 1
            $0.age = { gate.pass($0) }
        }) { server async throws in
            try await server.withClient { client in
                let bucket = server.bucket
                _ = try await client.putObject(bucket: bucket, key: "small", body: ByteBuffer(string: "content"))
                _ = try await client.putObject(bucket: bucket, key: "large", body: ByteBuffer(repeating: 0x78, count: 600_000))

                let lost = try await gate.race {
                    try await write.send(to: server, ("if-none-match", "*"))
                } against: {
                    _ = try await client.putObject(bucket: bucket, key: "k", body: ByteBuffer(string: "first"))
                }
                #expect(lost.status == 409 && lost.code == "ConditionalRequestConflict", "\(lost.body)")
                let first = try await client.headObject(bucket: bucket, key: "k")
                #expect(first.size == 5)

                let changed = try await gate.race {
                    try await write.send(to: server, ("if-match", first.etag))
                } against: {
                    _ = try await client.putObject(bucket: bucket, key: "k", body: ByteBuffer(string: "second"))
                }
                #expect(changed.status == 409 && changed.code == "ConditionalRequestConflict", "\(changed.body)")
                let second = try await client.headObject(bucket: bucket, key: "k")
                #expect(second.size == 6)

                let deleted = try await gate.race {
                    try await write.send(to: server, ("if-match", second.etag))
                } against: {
                    try await client.deleteObject(bucket: bucket, key: "k")
                }
                #expect(deleted.status == 409 && deleted.code == "ConditionalRequestConflict", "\(deleted.body)")
                let gone = await #expect(throws: S3Error.self) { try await client.headObject(bucket: bucket, key: "k") }
                #expect(gone?.status == 404)

                let won = try await gate.race {
                    try await write.send(to: server, ("if-none-match", "*"))
                } against: {
                }
                #expect(won.status == (write == .postObject ? 201 : 200), "\(won.body)")
                // What was wrong from the beginning is no conflict.
                let late = try await write.send(to: server, ("if-none-match", "*"))
                #expect(late.status == 412 && late.code == "PreconditionFailed", "\(late.body)")
                let kept = try await client.headObject(bucket: bucket, key: "k")
                #expect(kept.size == (write == .copyLargeObject ? 600_000 : 7))
            }
            #expect(try temporaryFiles(of: server).isEmpty)
        }
    }
}
