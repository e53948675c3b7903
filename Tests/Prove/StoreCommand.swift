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
    static let address = "prove.store="

    @Option var directory: String
    @Option var journal: String
    /// Tmp objects are as old as they are.
    @Flag var young = false

    func run() async throws {
        let server = try S3DevServer(
            configuration: S3DevServerConfiguration(
                directory: self.directory,
                port: 0,
                buckets: [Self.bucket],
                environment: "test",
                synchronizesFiles: false,
                faultRules: [],
                age: { [young] in !young && $0.hasPrefix(Self.tmpPrefix) ? 25 * 3_600 : 0 },
                largestCopy: Int64(ProofPlan.largestCopy),
                journal: self.journal
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

/// Says where a server listens.
private struct Announcing: Service {
    let server: S3DevServer

    func run() async throws {
        say("\(StoreCommand.address)http://127.0.0.1:\(try await self.server.boundPort())")
        try FileHandle.standardOutput.synchronize()
        try await gracefulShutdown()
    }
}
