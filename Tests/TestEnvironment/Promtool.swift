import Foundation

/// Prometheus's own checker.
package enum Promtool {
    /// What it has against metrics as text: nothing, if all is well.
    package static func complaints(about metrics: String) async throws -> [String] {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "metrics").path
            try metrics.write(toFile: file, atomically: false, encoding: .utf8)
            let result = try await Program.output("sh", ["-c", "promtool check metrics < \"$0\"", file])
            return result.exitCode == 0 && result.lines.isEmpty ? [] : ["exit code \(result.exitCode)"] + result.lines
        }
    }
}
