import Crypto
import Foundation
import Logging
import NIOConcurrencyHelpers
import S3
import S3DevServer
import TestEnvironment
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// What a client knows of an object: the last state that was acknowledged, and the ones that were asked for and may have come to be.
private struct Knowledge: Sendable {
    /// The bytes; nil when there is no object.
    var known: [UInt8]?
    var possible: [[UInt8]?] = []

    func allows(_ bytes: [UInt8]?) -> Bool { bytes == self.known || self.possible.contains { $0 == bytes } }
}

/// One client with keys of its own, that writes until the server is gone.
private struct Writer {
    let server: TestDevServer
    let name: String
    var objects: [String: Knowledge] = [:]
    /// Versions that were acknowledged, by key; in the bucket with versions.
    var versions: [String: [String: [UInt8]]] = [:]
    /// Multipart uploads whose completion was not acknowledged.
    var uploads: [(key: String, id: String)] = []
    var generation = 0
    var acknowledged = 0

    private func path(_ bucket: String, _ key: String) -> String { "/\(bucket)/\(key)" }

    /// Content that says whose it is, and that no mixture of two contents can be.
    private mutating func content(_ key: String) -> [UInt8] {
        self.generation += 1
        let line = "\(key) \(self.generation)\n"
        let size = [0, 1, 100, 5_000, 200_000, 700_000].randomElement() ?? 0
        return Array(String(repeating: line, count: size / line.utf8.count + 1).utf8.prefix(size)) + Array(line.utf8)
    }

    private func send(
        _ method: String,
        _ bucket: String,
        _ key: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) async throws -> TestDevServer.Answer {
        let path = self.path(bucket, key)
        let signed = self.server.signed(method, path, query: query, headers: headers, payloadHash: "UNSIGNED-PAYLOAD")
        let suffix = query.isEmpty ? "" : "?" + URIEncoding.query(query)
        let answer = try await self.server.send(method, path + suffix, headers: signed, body: body)
        return try Self.successful(answer, "\(method) \(path)")
    }

    private func post(_ bucket: String, _ key: String, _ content: [UInt8]) async throws -> TestDevServer.Answer {
        try Self.successful(try await self.server.post(bucket, key, content), "A form for \(self.path(bucket, key))")
    }

    private static func successful(_ answer: TestDevServer.Answer, _ what: String) throws -> TestDevServer.Answer {
        guard (200..<300).contains(answer.status) else {
            throw ProgramError(description: "\(what) was answered \(answer.status): \(answer.body)")
        }
        return answer
    }

    /// Does one thing to an object of the bucket without versions.
    private mutating func change(_ bucket: String) async throws {
        let key = "\(self.name)-\(Int.random(in: 0..<4))"
        var knowledge = self.objects[key] ?? Knowledge()
        let content = self.content(key)
        switch Int.random(in: 0..<12) {
        case 0...3:
            self.objects[key, default: Knowledge()].possible.append(content)
            _ = try await self.send("PUT", bucket, key, body: content)
            knowledge.known = content
        case 4...5:
            guard let (source, bytes) = self.objects.compactMap({ key, value in value.known.map { (key, $0) } }).randomElement()
            else {
                return
            }
            guard source != key else {
                return
            }
            self.objects[key, default: Knowledge()].possible.append(bytes)
            _ = try await self.send("PUT", bucket, key, headers: [("x-amz-copy-source", "/\(bucket)/\(source)")])
            knowledge.known = bytes
        case 6...7:
            let created = try await self.send("POST", bucket, key, query: [("uploads", "")])
            let id = String(created.body.firstMatch(of: #/<UploadId>(.*?)</#)?.1 ?? "")
            let half = content.count / 2
            var list = ""
            for (number, part) in [content[..<half], content[half...]].enumerated() {
                let query: [(name: String, value: String)] = [("partNumber", "\(number + 1)"), ("uploadId", id)]
                let answer = try await self.send("PUT", bucket, key, query: query, body: Array(part))
                list += "<Part><PartNumber>\(number + 1)</PartNumber><ETag>\(answer.header("etag") ?? "")</ETag></Part>"
            }
            self.objects[key, default: Knowledge()].possible.append(content)
            self.uploads.append((key, id))
            _ = try await self.send(
                "POST",
                bucket,
                key,
                query: [("uploadId", id)],
                body: Array("<CompleteMultipartUpload>\(list)</CompleteMultipartUpload>".utf8)
            )
            self.uploads.removeLast()
            knowledge.known = content
        case 8...9:
            self.objects[key, default: Knowledge()].possible.append(content)
            _ = try await self.post(bucket, key, content)
            knowledge.known = content
        default:
            self.objects[key, default: Knowledge()].possible.append(nil)
            _ = try await self.send("DELETE", bucket, key)
            knowledge.known = nil
        }
        knowledge.possible = []
        self.objects[key] = knowledge
        self.acknowledged += 1
    }

    private mutating func addVersion(_ bucket: String) async throws {
        let key = "\(self.name)-versioned"
        if Int.random(in: 0..<4) == 0 {
            _ = try await self.send("DELETE", bucket, key)
        } else {
            let content = self.content(key)
            let answer =
                if Int.random(in: 0..<3) == 0 {
                    try await self.post(bucket, key, content)
                } else {
                    try await self.send("PUT", bucket, key, body: content)
                }
            self.versions[key, default: [:]][answer.header("x-amz-version-id") ?? ""] = content
        }
        self.acknowledged += 1
    }

    /// Until the server is gone, which is where a request fails without an answer.
    mutating func run() async throws {
        do {
            while true {
                if Int.random(in: 0..<4) == 0 {
                    try await self.addVersion("versioned")
                } else {
                    try await self.change(self.server.bucket)
                }
            }
        } catch let error as ProgramError {
            throw error
        } catch {
            return
        }
    }

    /// What is there now must be what was acknowledged, or what was asked for last.
    mutating func verify(on server: TestDevServer) async throws {
        let bucket = server.bucket
        for (key, knowledge) in self.objects {
            let path = self.path(bucket, key)
            let answer = try await server.fetch(path)
            let bytes = answer.status == 404 ? nil : answer.body
            #expect(knowledge.allows(bytes), "\(key): \(bytes?.count ?? -1) bytes, \(knowledge.known?.count ?? -1) known")
            if let bytes {
                let md5 = SigV4.hexadecimal(Insecure.MD5.hash(data: bytes))
                #expect(answer.etag == "\"\(md5)\"" || answer.etag.hasSuffix("-2\""), "\(key)")
            }
            self.objects[key] = Knowledge(known: bytes)
        }
        for (key, versions) in self.versions {
            for (version, content) in versions {
                let answer = try await server.fetch(self.path("versioned", key), query: [("versionId", version)])
                #expect(answer.status == 200 && answer.body == content, "\(key) \(version)")
            }
        }
        // What was not completed can be, still, unless it was: nothing falls between the two.
        for (key, id) in self.uploads {
            let parts = try await server.fetch(self.path(bucket, key), query: [("uploadId", id)])
            #expect(parts.status == 200 || self.objects[key]?.known != nil, "\(key) \(id)")
        }
        self.uploads = []
    }
}

extension TestDevServer {
    fileprivate func fetch(
        _ path: String,
        query: [(name: String, value: String)] = []
    ) async throws -> (status: Int, etag: String, body: [UInt8]) {
        let suffix = query.isEmpty ? "" : "?" + URIEncoding.query(query)
        let answer = try await self.send("GET", path + suffix, headers: self.signed("GET", path, query: query))
        return (answer.status, answer.header("etag") ?? "", Array(answer.body.utf8))
    }
}

// In turn from their beginning: what they wait for has its time as well.
@Suite("Kill")
struct KillTests {
    /// `S3FILE_KILL_ROUNDS=200` for a long run.
    private static let rounds = ProcessInfo.processInfo.environment["S3FILE_KILL_ROUNDS"].flatMap { Int($0) } ?? 4

    @Test(
        "A server killed at random moments under load loses no acknowledged write and shows no torn one",
        .timeLimit(.minutes(60))
    )
    func kill() async throws {
        try await ExitTests.turn.take {
            try await withTemporaryFolder { folder in
                let directory = folder.path + "/store"
                var configuration = S3DevServerConfiguration(
                    directory: directory,
                    buckets: ["plain", "versioned"],
                    environment: "test"
                )
                var writers: [Writer] = []
                var acknowledged = 0
                for round in 0..<Self.rounds {
                    let announcement = "\(folder.path)/server-\(round)"
                    writers = try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await Self.serve(directory, announcing: announcement) }
                        let said = try await eventually { try? String(contentsOfFile: announcement, encoding: .utf8) }
                        let numbers = said.split(separator: " ").compactMap { Int($0) }
                        configuration.port = numbers[0]
                        let server = TestDevServer(port: numbers[0], configuration: configuration)
                        if round == 0 {
                            try await Self.enableVersions(server)
                        }
                        let written = try await Self.load(server, writers, for: .milliseconds(.random(in: 50...800))) {
                            Glibc.kill(pid_t(numbers[1]), SIGKILL)
                        }
                        try await group.waitForAll()
                        return written
                    }
                    acknowledged += writers.reduce(0) { $0 + $1.acknowledged }
                    // Each round is judged by a server that starts on what the dead one left.
                    writers = try await TestDevServer.run(configure: { $0 = Self.reading(configuration) }) { server in
                        #expect(try temporaryFiles(of: server).isEmpty)
                        var verified: [Writer] = []
                        for var writer in writers {
                            writer.acknowledged = 0
                            try await writer.verify(on: server)
                            verified.append(writer)
                        }
                        return verified
                    }
                }
                print("\(Self.rounds) kills, \(acknowledged) acknowledged writes")
                #expect(acknowledged > Self.rounds)
            }
        }
    }

    @Test("A form that a kill cuts off changes nothing, and one that was answered is whole", .timeLimit(.minutes(10)))
    func killedForm() async throws {
        try await ExitTests.turn.take {
            try await withTemporaryFolder { folder in
                let (directory, announcement) = (folder.path + "/store", folder.path + "/server")
                var configuration = S3DevServerConfiguration(directory: directory, buckets: ["plain"], environment: "test")
                let whole = Array(String(repeating: "answered ", count: 90_000).utf8)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await Self.serve(directory, announcing: announcement) }
                    let said = try await eventually { try? String(contentsOfFile: announcement, encoding: .utf8) }
                    let numbers = said.split(separator: " ").compactMap { Int($0) }
                    configuration.port = numbers[0]
                    let server = TestDevServer(port: numbers[0], configuration: configuration)
                    let answer = try await server.post(server.bucket, "k", whole)
                    #expect(answer.status == 201, "\(answer.body)")
                    try await server.hangingUp(after: Self.cutOffForm(server, "k")) { () async throws in
                        try await server.hangingUp(after: Self.cutOffForm(server, "new")) { () async throws in
                            // Whatever happens, the kill must: everybody waits for it.
                            let areBegun = try? await eventuallyTrue { try temporaryFiles(of: server).count == 2 }
                            Glibc.kill(pid_t(numbers[1]), SIGKILL)
                            #expect(areBegun == true)
                        }
                    }
                    try await group.waitForAll()
                }
                try await TestDevServer.run(configure: { $0 = Self.reading(configuration) }) { server in
                    #expect(try temporaryFiles(of: server).isEmpty)
                    let kept = try await server.fetch("/plain/k")
                    #expect(kept.status == 200 && kept.body == whole)
                    let cut = try await server.fetch("/plain/new")
                    #expect(cut.status == 404)
                }
            }
        }
    }

    /// A form to be posted, but for its end. There is enough of its file that the server writes some of it.
    private static func cutOffForm(_ server: TestDevServer, _ key: String) -> String {
        let form = server.form(server.bucket, key, Array(String(repeating: "cut off ", count: 90_000).utf8))
        let head =
            "POST /\(server.bucket) HTTP/1.1\r\nhost: 127.0.0.1:\(server.port)\r\n"
            + "content-type: \(form.contentType)\r\ncontent-length: \(form.body.count)\r\n\r\n"
        return head + String(decoding: form.body.dropLast(1_000), as: UTF8.self)
    }

    private static func reading(_ configuration: S3DevServerConfiguration) -> S3DevServerConfiguration {
        var configuration = configuration
        configuration.port = 0
        return configuration
    }

    private static func serve(_ directory: String, announcing path: String) async throws {
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String, path = path as String] in
            let server = try S3DevServer(
                configuration: S3DevServerConfiguration(
                    directory: directory,
                    port: 0,
                    buckets: ["plain", "versioned"],
                    environment: "test",
                    minimumPartSize: 0
                ),
                logger: Logger(label: "killed", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                let port = try await server.boundPort()
                try "\(port) \(getpid())".write(toFile: path, atomically: true, encoding: .utf8)
                try await group.waitForAll()
            }
        }
    }

    private static func enableVersions(_ server: TestDevServer) async throws {
        let body = Array("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".utf8)
        let headers = server.signed("PUT", "/versioned", query: [("versioning", "")], payloadHash: SigV4.payloadHash(body))
        let answer = try await server.send("PUT", "/versioned?versioning", headers: headers, body: body)
        try #require(answer.status == 200)
    }

    /// Lets eight clients write, and kills the server in the middle of it.
    private static func load(
        _ server: TestDevServer,
        _ before: [Writer],
        for duration: Duration,
        _ kill: @Sendable () -> Void
    ) async throws -> [Writer] {
        let kept = Dictionary(uniqueKeysWithValues: before.map { ($0.name, $0) })
        return try await withThrowingTaskGroup(of: Writer.self) { group in
            for number in 0..<8 {
                let old = kept["w\(number)"]
                group.addTask {
                    var writer = Writer(server: server, name: "w\(number)")
                    writer.objects = old?.objects ?? [:]
                    writer.versions = old?.versions ?? [:]
                    writer.generation = old?.generation ?? 0
                    try await writer.run()
                    return writer
                }
            }
            try await Task.sleep(for: duration)
            kill()
            var writers: [Writer] = []
            for try await writer in group {
                writers.append(writer)
            }
            return writers
        }
    }
}
