import Foundation
import S3File
import TestEnvironment
import Testing

@testable import S3FileService

/// The running service, asked by schemathesis all that its document says can be asked, and what it says cannot.
@Suite(.enabled(if: Python.has("schemathesis"), "\(Python.missing)"), .timeLimit(.minutes(5)))
struct ConformanceTests {
    private static let settings = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "schemathesis.toml")
        .path

    @Test func `it answers as its document says, whatever it is asked`() async throws {
        try await RealSite.with { site in
            try await LiveService.with(uploads: site.uploads, configuration: try ServiceSite.configuration()) { service in
                // For the document's example: so that there is one to be told of.
                try await site.enqueue(owner: "user-42", field: "report")
                try await withTemporaryFolder { folder in
                    let (lines, code) = try await Program.output(
                        "schemathesis",
                        ["--config-file", Self.settings, "run", service.address + "/v1/openapi.json"],
                        environment: ["API_KEY": ServiceSite.key, "HOME": folder.path, "TMPDIR": folder.path],
                        // Hundreds of requests, beside other tests.
                        within: .seconds(240)
                    )
                    #expect(code == 0, "\(lines.suffix(150).joined(separator: "\n"))")
                    #expect(
                        lines.contains { $0.contains("test cases") || $0.contains("passed") },
                        "\(lines.joined(separator: "\n"))"
                    )
                }
            }
        }
    }
}
