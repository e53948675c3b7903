import Foundation
import ServiceLifecycle

/// Prints one line once all is up: the app's address, or without an app the way to the services.
struct Announcement: Service {
    let settings: DevelopmentSettings
    let app: LoopbackPort?
    let s3: LoopbackPort?

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            try await (self.app ?? self.s3)?.answers()
            // Standard output is a pipe or a file as often as a terminal, and a line kept in a buffer tells nobody anything.
            try FileHandle.standardOutput.write(contentsOf: Data("S3File is ready: \(self.address)\n".utf8))
        }
        try? await gracefulShutdown()
    }

    private var address: String {
        guard let app else {
            return ["DATABASE_URL", "AWS_ENDPOINT_URL_S3", "S3FILE_BUCKET"]
                .compactMap { name in self.settings.environment[name].map { "\(name)='\($0)'" } }
                .joined(separator: " ")
        }
        return "http://127.0.0.1:\(app)"
    }
}
