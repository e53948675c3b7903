import Foundation
import Proof
import S3
import S3DevServer
import S3File
import TestEnvironment

/// The store of a run: it can be killed, and something that no client can talk round writes down what it does.
protocol Store: Sendable {
    var endpoint: String { get }
    var credentials: S3Credentials { get }
    /// Whether it misbehaves by rules, and takes what is put below the tmp prefix for a day old.
    var isDevelopment: Bool { get }
    /// SIGKILL; it starts again on what it has. Returns when it answers.
    func crash(_ number: Int) async throws
    func journal() throws -> [StoreJournal.Entry]
    /// What it has said.
    func log() throws -> String
}

/// `S3DevServer`, as a process of its own.
struct DevelopmentStore: Store {
    let endpoint: String
    let credentials = S3Credentials(
        accessKeyID: S3FileConfiguration.developmentAccessKeyID,
        secretAccessKey: S3FileConfiguration.developmentSecretAccessKey
    )
    let isDevelopment = true
    private let process: Respawned
    private let journals: String

    /// - Parameters:
    ///   - data: where it keeps its objects.
    ///   - journals: its witness, whom a full disk must not silence.
    ///   - isYoung: whether what is put is as old as it is, and not a day.
    static func with<R: Sendable>(
        _ data: String,
        _ journals: String,
        isYoung: Bool,
        _ body: @Sendable (any Store) async throws -> R
    ) async throws -> R {
        try FileManager.default.createDirectory(atPath: journals, withIntermediateDirectories: true)
        let port = try unusedPort()
        let process = Respawned(
            command: [CommandLine.arguments[0], "store", "--directory", data, "--journals", journals, "--port", "\(port)"]
                + (isYoung ? ["--young"] : [])
        )
        let store = Self(endpoint: "http://127.0.0.1:\(port)", process: process, journals: journals)
        return try await Respawned.whileRunning([process]) {
            try await store.answers(life: 1)
            return try await body(store)
        }
    }

    private var lives: Int { self.process.output.count { $0.hasPrefix(StoreCommand.ready) } }

    private func answers(life: Int) async throws {
        try await eventually("the store answers", within: .seconds(60)) { self.lives >= life }
    }

    func crash(_ number: Int) async throws {
        let lives = self.lives
        self.process.send(SIGKILL)
        try await self.answers(life: lives + 1)
    }

    func log() -> String { self.process.output.joined(separator: "\n") }

    func journal() throws -> [StoreJournal.Entry] {
        let files = try FileManager.default.contentsOfDirectory(atPath: self.journals).sorted()
        var entries = try files.flatMap { try StoreJournal.entries(of: "\(self.journals)/\($0)") }
        // Each life counts from 1.
        for index in entries.indices { entries[index].number = index + 1 }
        return entries
    }
}

/// Ceph's gateway, on a store that outlives a kill.
struct CephStore: Store {
    let endpoint: String
    let credentials: S3Credentials
    let isDevelopment = false
    private let folder: String

    static func with<R: Sendable>(_ folder: String, _ body: @Sendable (any Store) async throws -> R) async throws -> R {
        let folder = folder + "/ceph"
        let tree = try await Self.program("bin/ceph-tree", []).last ?? ""
        let log = folder + "/operations.jsonl"
        let settings = ["rgw_enable_ops_log=true", "rgw_ops_log_rados=false", "rgw_ops_log_file_path=\(log)"]
        let lines = try await Self.program(
            "bin/rgw",
            ["up", "-d", folder, "-p", "\(try unusedPort())", "-t", tree, "--store", "bluestore"]
                + settings.flatMap { ["--set", $0] }
        )
        func setting(_ name: String) throws -> String {
            guard let line = lines.first(where: { $0.hasPrefix("export \(name)=") }) else {
                throw ProgramError(description: "bin/rgw says nothing of \(name): \(lines)")
            }
            return String(line.dropFirst("export \(name)=".count))
        }
        let result: Result<R, any Error>
        do {
            let store = Self(
                endpoint: try setting("AWS_ENDPOINT_URL_S3"),
                credentials: S3Credentials(
                    accessKeyID: try setting("AWS_ACCESS_KEY_ID"),
                    secretAccessKey: try setting("AWS_SECRET_ACCESS_KEY")
                ),
                folder: folder
            )
            result = .success(try await body(store))
        } catch {
            result = .failure(error)
        }
        // A task of its own, awaited: it ends also when the run was told to.
        await Task { _ = try? await Self.program("bin/rgw", ["down", "-d", folder]) }.value
        return try result.get()
    }

    private static func program(_ name: String, _ arguments: [String]) async throws -> [String] {
        let (lines, exitCode) = try await Program.output(name, arguments, within: .seconds(180))
        guard exitCode == 0 else { throw ProgramError(description: "\(name): \(lines.joined(separator: "\n"))") }
        return lines
    }

    /// The gateway alone, or what keeps its objects as well.
    func crash(_ number: Int) async throws {
        for daemon in number.isMultiple(of: 2) ? ["rgw"] : ["rgw", "osd"] {
            let text = try String(contentsOfFile: "\(self.folder)/\(daemon).pid", encoding: .utf8)
            if let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) { kill(pid, SIGKILL) }
        }
        _ = try await Self.program("bin/rgw", ["again", "-d", self.folder])
    }

    func log() throws -> String { try String(contentsOfFile: self.folder + "/client.rgw.log", encoding: .utf8) }

    func journal() throws -> [StoreJournal.Entry] {
        try CephJournal.entries(of: Data(contentsOf: URL(fileURLWithPath: self.folder + "/operations.jsonl")))
    }
}
