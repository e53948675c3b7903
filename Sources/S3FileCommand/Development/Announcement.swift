import Foundation
import ServiceLifecycle

/// Prints the address once the app answers there.
struct Announcement: Service {
    let port: LoopbackPort

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            try await self.port.answers()
            // Standard output is a pipe or a file as often as a terminal, and a line kept in a buffer tells nobody anything.
            try FileHandle.standardOutput.write(contentsOf: Data("S3File is ready: http://127.0.0.1:\(self.port)\n".utf8))
        }
        try? await gracefulShutdown()
    }
}
