import Foundation
import Logging
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

@Suite("Starting S3DevServer")
struct StartTests {
    private func configuration(_ change: (inout S3DevServerConfiguration) -> Void) -> S3DevServerConfiguration {
        var configuration = S3DevServerConfiguration(
            directory: FileManager.default.temporaryDirectory.appending(path: "start-\(UUID().uuidString)").path,
            port: 0,
            environment: "development"
        )
        change(&configuration)
        return configuration
    }

    private let logger = Logger(label: "StartTests", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test("It refuses production", arguments: ["production", "Production", "PRODUCTION"])
    func production(environment: String) {
        let error = #expect(throws: S3DevServerError.self) {
            try S3DevServer(configuration: self.configuration { $0.environment = environment }, logger: self.logger)
        }
        #expect(error?.code == .production)
    }

    @Test(
        "It refuses an address that is not loopback",
        arguments: ["0.0.0.0", "::", "192.168.1.1", "example.com", "127.0.0.1.evil.com", ""]
    )
    func loopback(host: String) {
        let error = #expect(throws: S3DevServerError.self) {
            try S3DevServer(configuration: self.configuration { $0.host = host }, logger: self.logger)
        }
        #expect(error?.code == .notLoopback)
    }

    @Test("It refuses settings that cannot work")
    func settings() {
        for change: (inout S3DevServerConfiguration) -> Void in [
            { $0.port = 70_000 }, { $0.secretAccessKey = "" }, { $0.region = "" }, { $0.buckets = ["../x"] },
        ] {
            let error = #expect(throws: S3DevServerError.self) {
                try S3DevServer(configuration: self.configuration(change), logger: self.logger)
            }
            #expect(error?.code == .configuration)
        }
    }

    @Test("A port in use is told in a sentence, by run() and to whoever waits for the port")
    func portInUse() async throws {
        try await TestDevServer.run { other in
            let configuration = self.configuration { $0.port = other.port }
            defer { try? FileManager.default.removeItem(atPath: configuration.directory) }
            let server = try S3DevServer(configuration: configuration, logger: self.logger)
            let waiting = Task { try await server.boundPort() }
            let error = await #expect(throws: S3DevServerError.self) { try await server.run() }
            #expect(error?.code == .portInUse)
            #expect(
                error?.description == "Port \(other.port) on 127.0.0.1 is in use; stop what listens there or choose another port."
            )
            await #expect(throws: S3DevServerError.self) { try await waiting.value }
        }
    }

    @Test("What was stored is served after a stop and a start")
    func restart() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "restart-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let etag = try await TestDevServer.run(configure: { $0.directory = directory }) { server in
            try await server.withClient { client in
                try await client.putObject(bucket: server.bucket, key: "k", body: ByteBuffer(string: "content")).etag
            }
        }
        // TestDevServer removes its own folder only.
        #expect(FileManager.default.fileExists(atPath: directory))
        try await TestDevServer.run(configure: { $0.directory = directory }) { server in
            try await server.withClient { client in
                let head = try await client.headObject(bucket: server.bucket, key: "k")
                #expect(head.etag == etag)
            }
        }
    }
}
