import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import S3
import S3File

/// Asks as browsers do, before they post to another origin: for each origin, and for one that nobody has.
/// <https://fetch.spec.whatwg.org/#cors-preflight-fetch>
struct PreflightCheck: Sendable {
    private static let nobody = "https://s3file-check.invalid"

    let client: S3Client
    let bucket: String
    let key: String
    let origins: [String]
    let httpClient: HTTPClient

    func check(_ report: inout CheckReport) async {
        guard !self.origins.isEmpty else {
            report.add(
                .noOrigins,
                "Neither S3FILE_ORIGINS nor --origin says from where pages post.",
                remedy: "S3FILE_ORIGINS=https://app.example.com"
            )
            return
        }
        do {
            // Where forms are posted to, and where a part is put to.
            let form = try self.client.publicURL(bucket: self.bucket)
            let part = try self.client.publicURL(bucket: self.bucket, key: self.key)
            // All of them, for the rule has those that are named.
            let setup = "s3file bucket setup " + self.origins.map { "--origin \($0) " }.joined() + "--yes"
            for origin in self.origins {
                let post = try await self.ask(form, "POST", origin)
                if !Self.allows(post, "POST", origin) {
                    report.add(
                        .originRefused,
                        "The bucket \(self.bucket) does not let pages of \(origin) post: its preflight was answered \(post.status.code).",
                        remedy: setup
                    )
                }
                let put = try await self.ask(part, "PUT", origin)
                if !Self.allows(put, "PUT", origin) {
                    report.add(
                        .partsRefused,
                        "The bucket \(self.bucket) does not let pages of \(origin) send parts by PUT.",
                        remedy: setup
                    )
                }
            }
            if !self.origins.contains("*"), Self.allows(try await self.ask(form, "POST", Self.nobody), "POST", Self.nobody) {
                report.add(
                    .anyOrigin,
                    "The bucket \(self.bucket) lets pages of any origin post.",
                    remedy: "Take the rule with \"*\" out of its CORS rules, and write yours: s3file bucket setup --yes"
                )
            }
        } catch {
            report.add(
                .notLookedAt,
                "No preflight could be asked: \(Failure(error).sentence)",
                remedy: "Check that S3FILE_PUBLIC_ENDPOINT_URL, or the endpoint, can be reached from here."
            )
        }
    }

    private func ask(_ url: String, _ method: String, _ origin: String) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url)
        request.method = .OPTIONS
        request.headers = ["Origin": origin, "Access-Control-Request-Method": method]
        let response = try await self.httpClient.execute(request, timeout: .seconds(30))
        _ = try await response.body.collect(upTo: 1 << 16)
        return response
    }

    private static func allows(_ response: HTTPClientResponse, _ method: String, _ origin: String) -> Bool {
        let allowed = response.headers.first(name: "access-control-allow-origin")
        let methods = response.headers[canonicalForm: "access-control-allow-methods"].map { $0.uppercased() }
        return (200..<300).contains(response.status.code) && (allowed == origin || allowed == "*")
            && (methods.contains(method) || methods.contains("*"))
    }
}
