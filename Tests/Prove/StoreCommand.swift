import ArgumentParser
import Foundation
import Logging
import Proof
import S3DevServer
import ServiceLifecycle
import UnixSignals

/// The store of a run, as a process of its own: S3 on a folder, with a journal. What lies below the tmp prefix is a day old as soon as it is put,
/// so that sweeps find something at any moment; nothing but the record protects it.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "store", shouldDisplay: false)

    static let bucket = "prove"
    static let tmpPrefix = "tmp/s3file/"
    /// The word that it says when it answers.
    static let ready = "prove.store is ready"

    @Option var directory: String
    /// A file for each time that it starts.
    @Option var journals: String
    @Option var port: Int
    /// Tmp objects are as old as they are.
    @Flag var young = false

    func run() async throws {
        let life = try FileManager.default.contentsOfDirectory(atPath: self.journals).count + 1
        let name = "\(life)"
        let server = try S3DevServer(
            configuration: S3DevServerConfiguration(
                directory: self.directory,
                port: self.port,
                buckets: [Self.bucket],
                environment: "test",
                synchronizesFiles: false,
                faultRules: [],
                age: { [young] in !young && $0.hasPrefix(Self.tmpPrefix) ? 25 * 3_600 : 0 },
                largestCopy: Int64(ProofPlan.largestCopy),
                journal: "\(self.journals)/\(String(repeating: "0", count: max(0, 6 - name.count)))\(name).jsonl"
            ),
            logger: Logger(label: "prove.store")
        )
        let group = ServiceGroup(
            services: [server, Announcing(server: server)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "prove.store", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await group.run()
    }
}

/// Says when a server listens.
private struct Announcing: Service {
    let server: S3DevServer

    func run() async throws {
        _ = try await self.server.boundPort()
        say(StoreCommand.ready)
        try FileHandle.standardOutput.synchronize()
        try await gracefulShutdown()
    }
}
