import Foundation
import TestEnvironment
import Testing

@testable import S3File

/// `s3file queue`, `config` and completions.
@Suite struct QueueCommandTests {
    @Test func `queue stats tells what is due, waits and moves, and pause and resume are seen there`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            _ = try await queue.enqueue((0..<4).map { _ in .example() })
            _ = try await queue.enqueue([.example()], hold: .seconds(600))
            let worker = try await queue.register(host: "test", pid: 1, version: "0")
            _ = try await queue.claim(worker: worker, room: 1)
            let json = try await s3file("queue", "stats", "--json")
            for part in [#""due":3"#, #""later":1"#, #""moving":1"#, #""workers":1"#, #""name":"default""#, #""isWhole":true"#] {
                #expect(json.text.contains(part), "\(json.text)")
            }
            let paused = try await s3file("queue", "pause")
            #expect(paused.code == 0 && paused.text == "default: paused. 3 due, 1 moving.", "\(paused.text)")
            #expect(try await queue.claim(worker: worker, room: 1).isEmpty)
            let table = try await s3file("queue")
            #expect(table.text.contains(/default +3 +\d+s +1 +1 +1 +paused/), "\(table.text)")
            let resumed = try await s3file("queue", "resume", "default")
            #expect(resumed.code == 0 && resumed.text.contains("as usual"))
            #expect(try await queue.claim(worker: worker, room: 1).count == 1)
        }
    }

    @Test func `a queue that is mistyped is not made, and set makes one with limits`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let typo = try await s3file("queue", "pause", "defualt")
            #expect(typo.code == 2 && typo.text.contains(#"There is no queue "defualt", only default"#))
            let made = try await s3file("queue", "set", "films", "--fair", "--max-in-flight-per-owner", "2", "--json")
            #expect(made.code == 0 && made.text.contains(#""maxInFlightPerOwner":2"#) && made.text.contains(#""fair":true"#))
            let taken = try await s3file("queue", "set", "films", "--max-in-flight-per-owner", "0")
            #expect(taken.code == 0 && taken.text.contains("films: fair."))
            for wrong in [["queue", "set", "a b"], ["queue", "set", "x", "--no-fair", "--max-in-flight", "1"]] {
                let refused = try await s3file.run(wrong)
                #expect(refused.code == 64, "\(wrong): \(refused.text)")
            }
            #expect(try await queue.queueStatistics().map(\.name) == ["default", "films"])
        }
    }

    @Test func `an operator's role may do all of this, and enqueue or claim nothing`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let id = try await queue.enqueue([.example()])[0].id
            let url = try #require(s3file.settings["DATABASE_URL"] ?? nil)
            let role = url + (url.contains("?") ? "&" : "?") + "options=-c%20role%3Ds3file_operator"
            for arguments in [
                ["list"], ["status", id.uuidString], ["queue"], ["queue", "pause"], ["queue", "set", "more"],
                ["cancel", id.uuidString],
                ["retry", id.uuidString], ["migrate", "status"],
            ] {
                let result = try await s3file.run(arguments, changing: ["DATABASE_URL": role])
                #expect(result.code == 0, "\(arguments): \(result.text)")
            }
            let sweep = try await s3file("migrate", "down", "--to", "1", "--yes", changing: ["DATABASE_URL": role])
            #expect(sweep.code == 77, "\(sweep.text)")
        }
    }

    @Test func `config shows each setting and where it comes from, and no secret`() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "settings.json")
            try Data(
                #"{"s3file": {"tmpPath": "tmp/of-the-file", "workerConcurrency": 7, "secret": "secret-of-the-file-with-32-bytes-or-more"}}"#
                    .utf8
            )
            .write(to: file)
            let run = CommandLineRun(
                url: "postgresql://app:hunter22@db/x",
                endpoint: "https://s3.example.com",
                accessKeyID: "AKIAEXAMPLE",
                secretAccessKey: "very-secret-key",
                bucket: "media"
            )
            let table = try await run("config", "--region", "eu-west-1", changing: ["S3FILE_CONFIG": file.path])
            #expect(table.code == 0, "\(table.text)")
            for line in [
                /DATABASE_URL +set +environment/, /S3FILE_BUCKET +media +environment/, /AWS_REGION +eu-west-1 +flag/,
                /S3FILE_EXPIRY_HOURS +24 +default/, /AWS_SECRET_ACCESS_KEY +set +environment/,
            ] {
                #expect(table.text.contains(line), "\(table.text)")
            }
            #expect(table.text.contains("tmp/of-the-file  ") && table.text.contains(file.path))
            #expect(table.text.contains(/S3FILE_WORKER_CONCURRENCY +7\s/) && table.text.contains(/S3FILE_SECRET +set\s/))
            let json = try await run("config", "--json", changing: ["S3FILE_CONFIG": file.path])
            #expect(json.text.contains(#"{"name":"DATABASE_URL","secret":true,"source":"environment","value":"set"}"#))
            for secret in ["hunter22", "very-secret-key", "secret-of-the-file"] {
                #expect(!table.text.contains(secret) && !json.text.contains(secret))
            }
            let wrong = try await run("config", changing: ["S3FILE_ENVIRONMENT": "nonsense"])
            #expect(wrong.code == 78 && wrong.text.contains("S3FILE_ENVIRONMENT") && wrong.text.contains("nonsense"))
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `each shell gets a completion script that knows the commands`(shell: String) async throws {
        let (lines, code) = try await Program.output("\(Program.folder)/s3file", ["--generate-completion-script", shell])
        let text = lines.joined(separator: "\n")
        #expect(code == 0)
        for word in ["migrate", "worker", "check", "bucket", "retry", "queue", "error-code"] {
            #expect(text.contains(word), "\(word)")
        }
        guard shell == "bash" else { return }
        try await withTemporaryFolder { folder in
            let script = folder.appending(path: "s3file.bash")
            try Data(text.utf8).write(to: script)
            let (errors, status) = try await Program.output("bash", ["-n", script.path])
            #expect(status == 0, "\(errors)")
        }
    }

    @Test func `every command explains itself`() async throws {
        for command in [
            ["dev"], ["migrate"], ["migrate", "up"], ["worker"], ["check"], ["bucket", "setup"], ["status"], ["list"], ["retry"],
            ["cancel"],
            ["queue"], ["queue", "pause"], ["queue", "resume"], ["queue", "set"], ["queue", "stats"], ["sweep"], ["config"],
        ] {
            let (lines, code) = try await Program.output("\(Program.folder)/s3file", command + ["--help"])
            #expect(code == 0 && lines.joined().contains("OVERVIEW: "), "\(command)")
        }
    }
}
