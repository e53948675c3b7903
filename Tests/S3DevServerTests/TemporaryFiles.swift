import Foundation
import TestEnvironment

/// What lies in the server's folder for unfinished writes.
func temporaryFiles(of server: TestDevServer) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(server.directory)/tmp")
}
