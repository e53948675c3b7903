import Foundation
import TestEnvironment
import Testing

/// The command as it is run, with processes of its own.
@Suite("s3file dev", .serialized)
struct DevCommandTests {
    @Test("runs a command with the settings in its environment, and passes its exit code on")
    func exitCode() async throws {
        try await withTemporaryFolder { folder in
            let script = """
                psql "$DATABASE_URL" --tuples-only --no-align --command \
                "select current_database(), to_regclass('s3file.upload') is not null" || exit 1
                echo "bucket=$S3FILE_BUCKET endpoint=$AWS_ENDPOINT_URL_S3 app=$S3FILE_HOST:$S3FILE_PORT session=${AWS_SESSION_TOKEN-none}"
                exit 7
                """
            let (lines, exitCode) = try await Self.dev(
                in: folder,
                ["sh", "-c", script],
                environment: ["AWS_SESSION_TOKEN": "other"]
            )
            #expect(lines.contains("s3file|t"))
            let settings = try #require(lines.first { $0.hasPrefix("bucket=") })
            #expect(
                settings.wholeMatch(of: /bucket=s3file-dev endpoint=http:\/\/127\.0\.0\.1:\d+ app=127\.0\.0\.1:\d+ session=none/)
                    != nil
            )
            #expect(exitCode == 7)
            #expect(try Self.processes(of: folder) == [])
        }
    }

    @Test("ends everything on SIGTERM, leaves no process, and finds its data and its secret again")
    func restart() async throws {
        try await withTemporaryFolder { folder in
            let create =
                #"psql -q "$DATABASE_URL" -c "create table kept as select 'still here' as what"; echo "secret $S3FILE_SECRET"; exec sleep 600"#
            let (secret, exitCode) = try await Program.with(
                "\(Program.folder)/s3file",
                Self.arguments(in: folder, ["sh", "-c", create]),
                environment: Self.cleared
            ) { program in
                let secret = try await program.line(containing: "secret ")
                #expect(try Self.processes(of: folder).count > 2)
                program.send(signal: SIGTERM)
                try await program.end()
                return secret
            }
            #expect(exitCode == 0)
            #expect(try Self.processes(of: folder) == [])
            #expect(
                try String(contentsOf: folder.appendingPathComponent("dev/postgres.log"), encoding: .utf8).contains(
                    "received fast shutdown request"
                )
            )

            let read = #"psql -tA "$DATABASE_URL" -c "select what from kept"; echo "secret $S3FILE_SECRET""#
            let again = try await Self.dev(in: folder, ["sh", "-c", read])
            #expect(again.lines.contains("still here"))
            #expect(again.lines.contains(secret))
            #expect(again.exitCode == 0)
        }
    }

    @Test("after being killed with kill -9, takes over the Postgres that was left running, with all that was committed")
    func killed() async throws {
        try await withTemporaryFolder { folder in
            let create =
                #"psql -q "$DATABASE_URL" -c "create table kept as select 'still here' as what"; echo created; exec sleep 600"#
            let (sleeper, exitCode) = try await Program.with(
                "\(Program.folder)/s3file",
                Self.arguments(in: folder, ["sh", "-c", create]),
                environment: Self.cleared
            ) { program in
                _ = try await program.line(containing: "created")
                let sleeper = try Self.processes { $0.parent == program.processIdentifier && $0.command.hasPrefix("sleep 600") }
                program.send(signal: SIGKILL)
                return sleeper
            }
            #expect(exitCode == 128 + SIGKILL)
            for process in sleeper { kill(process, SIGKILL) }
            #expect(try Self.processes(of: folder).count > 1)

            let again = try await Self.dev(in: folder, ["sh", "-c", #"psql -tA "$DATABASE_URL" -c "select what from kept""#])
            #expect(again.lines.contains("still here"))
            #expect(again.exitCode == 0)
            #expect(try Self.processes(of: folder) == [])
            let log = try String(contentsOf: folder.appendingPathComponent("dev/postgres.log"), encoding: .utf8)
            // It was ended in order before its successor started.
            #expect(!log.contains("not properly shut down"))
        }
    }

    @Test("ends what its command has left behind in a process group of its own")
    func stragglers() async throws {
        try await withTemporaryFolder { folder in
            // `timeout` makes itself a group.
            let script = "cd '\(folder.path)'; timeout 600 sleep 600 & sleep 0.2; exit 3"
            let result = try await Self.dev(in: folder, ["sh", "-c", script])
            #expect(result.exitCode == 3)
            #expect(try Self.processes(of: folder) == [])
        }
    }

    @Test("works in a folder whose path is longer than a socket's may be, and has characters that a URL escapes")
    func longPath() async throws {
        try await withTemporaryFolder { folder in
            let deep = folder.appendingPathComponent(String(repeating: "long", count: 20) + "/100% of it & more")
            let result = try await Self.dev(in: deep, ["sh", "-c", #"psql -tA "$DATABASE_URL" -c "select 'here'""#])
            #expect(result.lines.contains("here"))
            let short = folder.appendingPathComponent("100% & ü")
            let escaped = try await Self.dev(in: short, ["sh", "-c", #"psql -tA "$DATABASE_URL" -c "select 'here'""#])
            #expect(escaped.lines.contains("here"))
        }
    }

    @Test(
        "a second one in the same folder, a port in use, an unwritable folder, a wrong version, an unknown command: one sentence each"
    )
    func sentences() async throws {
        try await withTemporaryFolder { folder in
            try await Program.with(
                "\(Program.folder)/s3file",
                Self.arguments(in: folder, ["sh", "-c", "echo started on $S3FILE_PORT; exec sleep 600"]),
                environment: Self.cleared
            ) { program in
                _ = try await program.line(containing: "started on ")
                let second = try await Self.dev(in: folder, ["true"])
                #expect(
                    second.lines == [
                        "Error: Another `s3file dev` (process \(program.processIdentifier)) uses \(folder.path)/dev: stop it, or give this one another --directory."
                    ]
                )
                #expect(second.exitCode == 1)

                let log = try Self.endpointPort(of: program.processIdentifier)
                let taken = try await Program.output(
                    "\(Program.folder)/s3file",
                    ["dev", "--directory", folder.path + "/other", "--port", "0", "--s3-port", log, "--", "true"],
                    environment: Self.cleared
                )
                #expect(
                    taken.lines == ["Error: Port \(log) is in use: stop what listens there, or give another one with --s3-port."]
                )
                #expect(!FileManager.default.fileExists(atPath: folder.path + "/other"))
            }

            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let unwritable = try await Self.dev(in: file, ["true"])
            #expect(
                unwritable.lines == [
                    "Error: Cannot write to the folder \(file.path)/dev: make it writable for you, or give another one with --directory."
                ]
            )

            let old = folder.appendingPathComponent("old/dev/postgres")
            try FileManager.default.createDirectory(at: old, withIntermediateDirectories: true)
            try Data("8\n".utf8).write(to: old.appendingPathComponent("PG_VERSION"))
            let version = try await Self.dev(in: folder.appendingPathComponent("old"), ["true"])
            #expect(version.lines.count == 1)
            #expect(version.lines.first?.contains("was made by Postgres 8, and this machine has ") == true)

            let unknown = try await Self.dev(in: folder, ["no-such-command"])
            #expect(unknown.lines.count == 1)
            #expect(unknown.lines.first?.hasPrefix("Error: Cannot run `no-such-command`: ") == true)
            #expect(unknown.exitCode == 1)
        }
    }

    // MARK: -

    /// Without what a developer's own shell, or the test run, may have set.
    private static let cleared: [String: String?] = [
        "DATABASE_URL": nil, "AWS_ENDPOINT_URL_S3": nil, "AWS_ENDPOINT_URL": nil, "S3FILE_SECRET": nil, "S3FILE_BUCKET": nil,
    ]

    private static func arguments(in folder: URL, _ command: [String]) -> [String] {
        ["dev", "--directory", folder.path + "/dev", "--port", "0", "--s3-port", "0", "--"] + command
    }

    private static func dev(
        in folder: URL,
        _ command: [String],
        environment: [String: String?] = [:]
    ) async throws -> (lines: [String], exitCode: Int32) {
        try await Program.output(
            "\(Program.folder)/s3file",
            Self.arguments(in: folder, command),
            environment: Self.cleared.merging(environment) { _, new in new }
        )
    }

    private struct RunningProcess {
        var identifier: Int32
        var parent: Int32
        var command: String
    }

    /// All processes that hold on to the folder: by their arguments, or as their working folder.
    private static func processes(of folder: URL) throws -> [Int32] {
        try Self.processes { process in
            process.command.contains(folder.path)
                || ((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.identifier)/cwd"))?.hasPrefix(
                    folder.path
                ) ?? false)
        }
    }

    private static func processes(where matches: (RunningProcess) -> Bool) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { identifier in
            guard let arguments = FileManager.default.contents(atPath: "/proc/\(identifier)/cmdline"), !arguments.isEmpty,
                let status = FileManager.default.contents(atPath: "/proc/\(identifier)/status")
            else { return false }
            let parent = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("PPid:") }
            return matches(
                RunningProcess(
                    identifier: identifier,
                    parent: parent.flatMap { Int32($0.dropFirst(5).trimmingCharacters(in: .whitespaces)) } ?? 0,
                    command: String(decoding: arguments, as: UTF8.self).replacing("\0", with: " ")
                )
            )
        }
    }

    /// The port of the S3 server that a running `s3file dev` has told its command of.
    private static func endpointPort(of process: Int32) throws -> String {
        let child = try #require(try Self.processes { $0.parent == process && $0.command.hasPrefix("sleep 600") }.first)
        let environment = String(
            decoding: FileManager.default.contents(atPath: "/proc/\(child)/environ") ?? Data(),
            as: UTF8.self
        )
        let endpoint = environment.split(separator: "\0").first { $0.hasPrefix("AWS_ENDPOINT_URL_S3=") }
        return try #require(endpoint?.split(separator: ":").last.map(String.init))
    }
}
