import Foundation
import HTTPTypes
import Hummingbird
import S3FileHTTP
import TestEnvironment
import Testing

@testable import S3FileService

/// `openapi.json`, against what there is.
@Suite(.timeLimit(.minutes(3)))
struct DocumentTests {
    static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/S3FileService/Resources/openapi.json")

    private func document() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: Self.file)) as? [String: Any])
    }

    @Test func `every route is in the document, and the reverse`() throws {
        let site = try ServiceSite()
        let router = ServiceRouter(uploads: site.uploads, configuration: site.configuration).router()
        let served = router.routes.map { route in
            let path = route.path.description.split(separator: "/").map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0) }
            return "\(route.method.rawValue) /" + path.joined(separator: "/")
        }
        let paths = try #require(try self.document()["paths"] as? [String: [String: Any]])
        let documented = paths.flatMap { path, item in item.keys.map { "\($0.uppercased()) \(path)" } }
        #expect(Set(served) == Set(documented), "\(Set(served).symmetricDifference(documented).sorted())")
        #expect(served.count > 20)
    }

    @Test func `what needs a key says so, and nothing else`() throws {
        let paths = try #require(try self.document()["paths"] as? [String: [String: [String: Any]]])
        for (path, item) in paths {
            for (method, operation) in item {
                let security = try #require(operation["security"] as? [[String: Any]], "\(method) \(path)")
                let needsKey = path.hasPrefix("/v1/") && path != "/v1/openapi.json"
                #expect(security.contains { $0["apiKey"] != nil } == needsKey, "\(method) \(path)")
            }
        }
    }

    @Test func `it is served as it is kept`() async throws {
        try await ServiceSite.with { _, asker async throws in
            let answer = try await asker.get("/v1/openapi.json", key: nil)
            #expect(try answer.body == String(contentsOf: Self.file, encoding: .utf8))
        }
    }

    @Test(.enabled(if: Python.has("openapi_spec_validator"), "\(Python.missing)"))
    func `it is OpenAPI 3.1 to the validator`() async throws {
        let (lines, code) = try await Program.output(
            "python3",
            ["-m", "openapi_spec_validator", "--schema", "3.1", Self.file.path]
        )
        #expect(code == 0, "\(lines.suffix(20).joined(separator: "\n"))")
    }
}

/// What `bin/test` installs beside the tests.
enum Python {
    static let missing = "Install openapi-spec-validator and schemathesis from PyPI, as bin/test does, to run these tests."

    /// Only at the start of the tests: a short look.
    static func has(_ module: String) -> Bool {
        system(
            "python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec(\"\(module)\") is None)' >/dev/null 2>&1"
        ) == 0
    }
}
