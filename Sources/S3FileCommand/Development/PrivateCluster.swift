import Foundation
import ServiceLifecycle
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A Postgres of our own in a folder: made on the first start, found again on later ones.
///
/// It listens on a Unix socket. Whoever can enter the socket's folder is its superuser, and that is nobody but the user who runs
/// it (and root), so that way needs no password. Only when a port is asked for does it listen on TCP, too, with one.
///
/// As it has a session of its own, Ctrl-C in the terminal does not reach it: it ends when ``run()`` is told to, after everything
/// that uses it.
struct PrivateCluster: Service, CustomStringConvertible {
    /// Service groups log their services, and what this one holds has secrets.
    var description: String { "PrivateCluster" }

    static let database = "s3file"
    private let data: String
    private let log: String
    private let socket: SocketFolder
    private let password: String
    private let tcpPort: LoopbackPort?
    private let readiness = Readiness()

    /// - Parameter tcpPort: Where else it listens, for clients that know no Unix sockets.
    init(in directory: DevelopmentDirectory, tcpPort: LoopbackPort? = nil) throws {
        self.data = directory.path + "/postgres"
        self.log = directory.path + "/postgres.log"
        self.socket = try SocketFolder(preferring: directory.path + "/postgres-socket")
        self.password = try directory.databasePassword()
        self.tcpPort = tcpPort
    }

    /// The socket's name has a port number in it in any case.
    private var port: Int { self.tcpPort?.number ?? 5432 }

    /// Known before the start; answers after ``ready()``.
    var url: String {
        if let tcpPort {
            return "postgresql://postgres:\(self.password)@127.0.0.1:\(tcpPort)/\(Self.database)"
        }
        let allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")
        let host = self.socket.path.addingPercentEncoding(withAllowedCharacters: allowed) ?? self.socket.path
        return "postgresql:///\(Self.database)?host=\(host)&port=\(self.port)&user=postgres"
    }

    func ready() async throws {
        try await self.readiness.wait()
    }

    func run() async throws {
        defer { self.socket.remove() }
        do {
            try await cancelWhenGracefulShutdown {
                let installation = try await PostgresInstallation.find(for: self.data)
                try await LeftoverPostgres(in: self.data)?.stop()
                if access(self.data + "/PG_VERSION", F_OK) != 0 {
                    try await self.make(with: installation)
                }
                try await self.serve(with: installation)
            }
        } catch is CancellationError {
            return
        }
    }

    /// Makes the cluster and its database beside their place and moves them there when they are whole, so that an interrupted start
    /// leaves nothing half made.
    private func make(with installation: PostgresInstallation) async throws {
        let unfinished = self.data + ".new"
        try? FileManager.default.removeItem(atPath: unfinished)
        // An empty folder of this name may stand in the way; one that holds something we did not make is not ours to replace.
        guard mkdir(unfinished, 0o700) == 0, rmdir(self.data) == 0 || errno == ENOENT else {
            throw self.failure("\(self.data) cannot be made, or holds something else", log: nil)
        }
        let account = try await PostgresAccount(owning: unfinished)
        let initdb = try await Subprocess.run(
            account.configuration([
                installation.program("initdb"), "--pgdata=\(unfinished)", "--username=postgres", "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C", "--no-instructions",
            ]),
            output: .string(limit: 1 << 20),
            error: .combinedWithOutput
        )
        guard initdb.terminationStatus.isSuccess else {
            throw self.failure("`initdb` failed", log: initdb.standardOutput)
        }
        let statements = """
            create database \(Self.database)
            set password_encryption = 'scram-sha-256'
            alter role postgres password '\(self.password)'

            """
        // A server without clients answers standard input; it reports a failed statement but ends in success all the same.
        let create = try await Subprocess.run(
            account.configuration([installation.program("postgres"), "--single", "-D", unfinished, "template1"]),
            input: .string(statements),
            output: .string(limit: 1 << 20),
            error: .combinedWithOutput
        )
        let complained = ["ERROR:", "FATAL:", "PANIC:"].contains { create.standardOutput.contains($0) }
        guard create.terminationStatus.isSuccess, !complained else {
            throw self.failure("the database `\(Self.database)` could not be made", log: create.standardOutput)
        }
        guard rename(unfinished, self.data) == 0 else {
            throw self.failure("\(unfinished) could not be renamed", log: nil)
        }
    }

    private func serve(with installation: PostgresInstallation) async throws {
        let account = try await PostgresAccount(owning: self.data)
        try account.own(self.socket.path)
        try self.socket.empty()
        let log = try FileDescriptor.open(
            FilePath(self.log),
            .writeOnly,
            options: [.create, .truncate, .closeOnExec],
            permissions: [.ownerReadWrite]
        )
        defer { try? log.close() }
        var configuration = account.configuration([
            installation.program("postgres"), "-D", self.data, "-k", self.socket.path, "-c", "port=\(self.port)",
            "-c", "listen_addresses=\(self.tcpPort == nil ? "" : "127.0.0.1")", "-c", "unix_socket_permissions=0700", "-c",
            "logging_collector=off",
            // An app, its workers and a test run beside them; a connection that nobody opens costs next to nothing.
            "-c", "max_connections=400",
        ])
        // Fast shutdown: open transactions are rolled back, the data folder is left clean. Immediate shutdown: recovery at next start.
        configuration.platformOptions.teardownSequence = [
            .send(signal: .interrupt, allowedDurationToNextStep: .seconds(20)),
            .send(signal: .quit, allowedDurationToNextStep: .seconds(10)),
        ]
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [configuration] in
                let result = try await Subprocess.run(
                    configuration,
                    output: .fileDescriptor(log, closeAfterSpawningProcess: false),
                    error: .combinedWithOutput
                )
                try Task.checkCancellation()
                throw self.failure(
                    "it stopped (\(result.terminationStatus))",
                    log: try? String(contentsOfFile: self.log, encoding: .utf8)
                )
            }
            group.addTask {
                try await self.waitUntilServing()
                self.readiness.declare()
            }
            defer { group.cancelAll() }
            for try await _ in group {}
        }
    }

    /// The last line of `postmaster.pid` is the server's own word on its state, which `pg_ctl` goes by, too:
    /// https://www.postgresql.org/docs/15/app-pg-ctl.html
    private func waitUntilServing() async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            let lines =
                (try? String(contentsOfFile: self.data + "/postmaster.pid", encoding: .utf8))?.split(separator: "\n") ?? []
            if lines.last?.hasPrefix("ready") == true { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw self.failure("it did not accept connections within two minutes", log: nil)
    }

    private func failure(_ what: String, log: String?) -> DevelopmentError {
        let lines = log?.split(separator: "\n").map(String.init) ?? []
        // initdb ends by saying what it tidied up, which is no cause.
        let cause =
            lines.last { line in ["FATAL:", "PANIC:", "ERROR:", "error:", "denied"].contains { line.contains($0) } }
            ?? lines.last { !$0.hasPrefix("initdb: removing") }
        let said = cause.map { ", saying “\($0)”" } ?? ""
        return DevelopmentError(
            code: .postgresFailed,
            message:
                "The private Postgres in \(self.data) failed: \(what)\(said). See \(self.log), or set DATABASE_URL to another database."
        )
    }
}
