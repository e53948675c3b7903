import Foundation

/// A Postgres of a test's own, to be stopped, started again, failed over or set up otherwise than the one that all tests share.
package struct TestCluster: Sendable {
    package enum StopMode: String, Sendable {
        case fast
        /// Like a crash: nobody is told, and the next start recovers.
        case immediate
    }

    package let port: Int
    package let folder: String
    /// Lines of `postgresql.conf` beyond ours.
    private let settings: [String]

    private var data: String { self.folder + "/data" }

    /// The superuser's URL.
    package var url: String { "postgresql://postgres@127.0.0.1:\(self.port)/postgres" }

    // MARK: Life

    /// Returns when it accepts connections.
    package func start() async throws {
        try await Self.run("pg_ctl", ["start", "-w", "-s", "-D", self.data, "-l", self.folder + "/log"])
    }

    package func stop(_ mode: StopMode = .fast) async throws {
        try await Self.run("pg_ctl", ["stop", "-w", "-s", "-D", self.data, "-m", mode.rawValue])
    }

    /// Whether it is there; it may have ended by itself, as on a full disk.
    package var isRunning: Bool {
        get async { (try? await Self.run("pg_ctl", ["status", "-D", self.data])) != nil }
    }

    package func promote() async throws {
        try await Self.run("pg_ctl", ["promote", "-w", "-s", "-D", self.data])
    }

    /// What psql prints of a statement's rows, without its decoration: for what is about the server itself.
    package func psql(_ statement: String) async throws -> [String] {
        try await Self.run("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", statement])
    }

    /// Throws away what is in its folder for a copy of `primary`, which follows that one from its next start on.
    package func follow(_ primary: TestCluster) async throws {
        if FileManager.default.fileExists(atPath: self.data) { try FileManager.default.removeItem(atPath: self.data) }
        try await Self.run(
            "pg_basebackup",
            ["-D", self.data, "-d", primary.url, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        )
        try self.configure()
    }

    /// The server's own log so far.
    package func log() throws -> String { try String(contentsOfFile: self.folder + "/log", encoding: .utf8) }

    // MARK: Making

    /// - Parameters:
    ///   - settings: Lines of `postgresql.conf` beyond ours.
    ///   - access: Lines of `pg_hba.conf`, in place of one that trusts everybody on this machine.
    ///   - parent: The folder that its own is in; that of temporary files unless it is said.
    ///   - prepare: Is given the data folder before the first start.
    package static func with<R: Sendable>(
        settings: [String] = [],
        access: [String] = ["host all,replication all 127.0.0.1/32 trust"],
        in parent: String? = nil,
        prepare: (String) async throws -> Void = { _ in },
        _ body: (TestCluster) async throws -> R
    ) async throws -> R {
        try await ServerUser.withFolder(in: parent) { folder in
            let cluster = TestCluster(port: try unusedPort(), folder: folder, settings: settings)
            try await self.run(
                "initdb",
                ["-D", cluster.data, "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
            )
            try ServerUser.write(
                (access + ["local all all trust", ""]).joined(separator: "\n"),
                to: cluster.data + "/pg_hba.conf"
            )
            try cluster.configure()
            try await prepare(cluster.data)
            return try await cluster.serve(body)
        }
    }

    /// Runs a streaming standby of this one beside `body`.
    ///
    /// - Parameter parent: The folder that its own is in; that of temporary files unless it is said.
    package func withStandby<R: Sendable>(in parent: String? = nil, _ body: (TestCluster) async throws -> R) async throws -> R {
        try await ServerUser.withFolder(in: parent) { folder in
            let standby = TestCluster(port: try unusedPort(), folder: folder, settings: self.settings)
            try await standby.follow(self)
            return try await standby.serve(body)
        }
    }

    private func configure() throws {
        let lines =
            [
                "port = \(self.port)", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "fsync = off",
                "max_connections = 50", "shared_buffers = 16MB", "log_min_messages = log",
            ] + self.settings
        // The last of several lines wins, so a standby's are right although its file is a copy.
        let file = self.data + "/postgresql.conf"
        let text = try String(contentsOfFile: file, encoding: .utf8) + lines.map { $0 + "\n" }.joined()
        try ServerUser.write(text, to: file)
    }

    private func serve<R: Sendable>(_ body: (TestCluster) async throws -> R) async throws -> R {
        let result: Result<R, any Error>
        do {
            try await self.start()
            result = .success(try await body(self))
        } catch {
            result = .failure(error)
        }
        // Also after a test was cancelled: a task of its own, which is awaited. The body may have stopped it before.
        await Task { try? await self.stop(.immediate) }.value
        return try result.get()
    }

    // MARK: Programs

    /// Where Postgres's programs are: Debian keeps each version's in a folder of its own, off the `PATH`.
    private static let programs: String? = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newestFirst = versions.sorted { $0.compare($1, options: .numeric) == .orderedDescending }
        return newestFirst.map { "\(root)/\($0)/bin" }.first { access($0 + "/initdb", X_OK) == 0 }
    }()

    @discardableResult
    private static func run(_ program: String, _ arguments: [String]) async throws -> [String] {
        try await ServerUser.run(self.programs.map { "\($0)/\(program)" } ?? program, arguments)
    }
}
