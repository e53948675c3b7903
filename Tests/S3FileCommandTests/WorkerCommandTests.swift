import Foundation
import Postgres
import S3
import TestEnvironment
import Testing

/// `s3file worker` as a process, and what it tells of itself.
@Suite struct WorkerCommandTests {
    private func withWorker(
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        _ body: @escaping @Sendable (Program, PostgresClient) async throws -> Void
    ) async throws -> Int32 {
        try await TestDevServer.run { server in
            try await withMigratedDatabase { database, url in
                let settings: [String: String?] = [
                    "DATABASE_URL": url, "S3FILE_BUCKET": server.bucket, "AWS_ENDPOINT_URL_S3": server.endpoint,
                    "AWS_ACCESS_KEY_ID": server.credentials.accessKeyID,
                    "AWS_SECRET_ACCESS_KEY": server.credentials.secretAccessKey, "S3FILE_SECRET": nil,
                ]
                return try await Program.with(
                    "\(Program.folder)/s3file",
                    ["worker"] + arguments,
                    environment: settings.merging(environment.mapValues { $0 }) { $1 }
                ) { program in try await body(program, database) }.exitCode
            }
        }
    }

    private func get(_ url: String) async throws -> (status: String, text: String) {
        let lines = try await Program.output("curl", ["-sS", "-m", "10", "-w", "\n%{http_code}", url]).lines
        return (lines.last ?? "", lines.dropLast().joined(separator: "\n"))
    }

    @Test func `with a health port it answers probes and Prometheus, and logs one JSON object a line`() async throws {
        let code = try await self.withWorker(["--health-port", "0", "--log-format", "json"]) { program, database in
            let line = try await program.line(containing: "Health and metrics are served")
            let port = try #require(line.firstMatch(of: /127\.0\.0\.1[^"]*:(\d+)/)).1
            let address = "http://127.0.0.1:\(port)"
            try await eventually("it is ready") { try await self.get(address + "/health/ready").status == "200" }
            let live = try await self.get(address + "/health/live")
            #expect(live.status == "200" && live.text.contains(#""status":"ok""#))
            try await eventually("it tells of the queue") {
                try await self.get(address + "/metrics").text.contains("\ns3file_queue_oldest_seconds{queue=\"default\"} 0\n")
            }
            let metrics = try await self.get(address + "/metrics")
            #expect(metrics.status == "200")
            #expect(try await Promtool.complaints(about: metrics.text + "\n") == [])
            #expect(try await self.get(address + "/").status == "404")
            // What it must not begin any more it says, and ends.
            program.send(signal: SIGTERM)
            try await program.end()
            for line in program.output {
                let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(json?["level"] is String && json?["message"] is String && json?["time"] is String, "\(line)")
            }
            #expect(program.output.contains { $0.contains("Worker registered") })
        }
        #expect(code == 0)
    }

    @Test func `the environment says the same, and without a port nothing listens`() async throws {
        let code = try await self.withWorker(environment: ["S3FILE_LOG_FORMAT": "json", "S3FILE_LOG_LEVEL": "debug"]) {
            program,
            _ in
            let line = try await program.line(containing: "Worker registered")
            #expect(line.hasPrefix("{"))
            _ = try await program.line(containing: "Connected to Postgres")
            let sockets = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(program.processIdentifier)/fd").compactMap
            {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(program.processIdentifier)/fd/\($0)")
            }
            for socket in try TCPSocket.all(seenBy: "\(program.processIdentifier)") where socket.state == .listening {
                #expect(!sockets.contains("socket:[\(socket.inode)]"), "it listens at \(socket.local)")
            }
        }
        #expect(code == 0)
    }

    @Test(arguments: [
        (["S3FILE_LOG_FORMAT": "xml"], "S3FILE_LOG_FORMAT is \"xml\": set it to text or json"),
        (["S3FILE_LOG_LEVEL": "loud"], "S3FILE_LOG_LEVEL is \"loud\": set it to trace, debug"),
        (["S3FILE_HEALTH_PORT": "http"], "S3FILE_HEALTH_PORT is \"http\": set it to a port"),
        (["S3FILE_HEALTH_PORT": "70000"], "S3FILE_HEALTH_PORT is \"70000\": set it to a port"),
        (["S3FILE_HEALTH_PORT": "0", "S3FILE_HEALTH_HOST": "203.0.113.1"], "nothing can listen on 203.0.113.1:0"),
    ])
    func `a setting that is wrong ends it with a sentence`(settings: [String: String], sentence: String) async throws {
        let code = try await self.withWorker(environment: settings) { program, _ in
            try await program.end()
            #expect(program.output.contains { $0.contains(sentence) }, "\(program.output.joined(separator: "\n"))")
        }
        #expect(code != 0)
    }
}
