package import Foundation

/// The example app with all that belongs to it, as `bin/dev` starts it.
package struct Installation: Sendable {
    package let address: String

    /// Starts it for the length of `body`, in a folder of its own.
    ///
    /// - Parameters:
    ///   - command: An app in place of the example.
    ///   - s3Port: Of the S3 server; 0 takes a free one.
    ///   - environment: Settings beyond those of `s3file dev`, such as another S3 server.
    ///   - signal: A file for whose appearance the worker waits, to see what a page shows meanwhile.
    package static func with<R: Sendable>(
        command: [String] = ["\(Program.folder)/Gallery"],
        s3Port: Int = 0,
        environment: [String: String] = [:],
        workerAfter signal: URL? = nil,
        _ body: @Sendable (Installation) async throws -> R
    ) async throws -> R {
        try await withTemporaryFolder { folder in
            // Nothing of the test run's own servers.
            var settings: [String: String?] = [:]
            for name in [
                "DATABASE_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "S3FILE_SECRET", "S3FILE_BUCKET",
            ] {
                settings.updateValue(nil, forKey: name)
            }
            settings.merge(environment.mapValues { $0 }) { _, new in new }
            let s3file = "\(Program.folder)/s3file"
            var arguments = ["dev", "--directory", folder.path + "/s3file", "--port", "0", "--s3-port", "\(s3Port)"]
            if let signal {
                let script =
                    #"signal=$0 s3file=$1; shift; "$@" & until [ -e "$signal" ]; do sleep 0.05; done; exec "$s3file" worker"#
                arguments += ["--no-worker", "--", "sh", "-c", script, signal.path, s3file] + command
            } else {
                arguments += ["--"] + command
            }
            let (result, exitCode) = try await Program.with(s3file, arguments, environment: settings) { program in
                let ready = try await program.line(containing: "S3File is ready: ")
                do {
                    return try await body(Installation(address: String(ready.drop { $0 != ":" }.dropFirst(2))))
                } catch {
                    // The servers' words often tell why.
                    print(program.output.suffix(60).joined(separator: "\n"))
                    throw error
                }
            }
            guard exitCode == 0 else { throw ProgramError(description: "`s3file dev` ended with \(exitCode)") }
            return result
        }
    }
}
