import Foundation
package import Logging
package import S3
package import S3DevServer

/// An S3DevServer on a free port and a folder of its own, for as long as a test needs it.
package struct TestDevServer: Sendable {
    package let port: Int
    package let configuration: S3DevServerConfiguration

    /// A server that runs already, as in another process.
    package init(port: Int, configuration: S3DevServerConfiguration) {
        self.port = port
        self.configuration = configuration
    }

    package var endpoint: String { "http://127.0.0.1:\(self.port)" }
    package var directory: String { self.configuration.directory }
    package var bucket: String { self.configuration.buckets[0] }

    package var credentials: S3Credentials {
        S3Credentials(
            accessKeyID: self.configuration.accessKeyID,
            secretAccessKey: self.configuration.secretAccessKey
        )
    }

    /// For a client of this server.
    package var s3Configuration: S3Configuration {
        S3Configuration(
            endpoint: self.endpoint,
            region: self.configuration.region,
            credentials: StaticCredentials(self.credentials)
        )
    }

    /// Runs `body` beside a server, then stops the server and removes its folder.
    ///
    /// - Parameters:
    ///   - bucket: exists when `body` starts.
    ///   - configure: changes the settings, as for a fault or a small part size; a folder set here is not removed.
    package static func run<Result: Sendable>(
        bucket: String = "test-bucket",
        logger: Logger = Logger(label: "TestDevServer", factory: { _ in SwiftLogNoOpLogHandler() }),
        configure: (inout S3DevServerConfiguration) -> Void = { _ in },
        _ body: (TestDevServer) async throws -> Result
    ) async throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "s3devserver-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = S3DevServerConfiguration(
            directory: directory,
            port: 0,
            buckets: [bucket],
            environment: "test",
            synchronizesFiles: false
        )
        configure(&configuration)
        let server = try S3DevServer(configuration: configuration, logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let port = try await server.boundPort()
            let result = try await body(TestDevServer(port: port, configuration: configuration))
            group.cancelAll()
            return result
        }
    }
}
