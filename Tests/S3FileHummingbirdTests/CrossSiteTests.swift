import HTTPTypes
import S3FileHTTP
import Testing

@Suite("Files from another site")
struct CrossSiteTests {
    @Test func `files from another site's page are refused, and from nobody's page are not`() async throws {
        try await withSite { site async throws in
            let fetchSite = try #require(HTTPField.Name("Sec-Fetch-Site"))
            let intake = site.intake(fields: [TestSite.documents])
            let foreign: [HTTPFields] = [
                [fetchSite: "cross-site"], [.origin: "https://evil.example"], [.origin: "null"],
                [.origin: "http://localhost:8080"],
                [fetchSite: "cross-site", .origin: "http://localhost"], [.origin: "https://localhost.evil.example"],
            ]
            for headers in foreign {
                let refusal = try await intake.take(ZeroBody(size: 10), headers: headers).refusal
                #expect(refusal?.status == 403 && refusal?.text.contains("cross_site") == true, "\(headers)")
            }
            #expect(try await site.tmpKeys().isEmpty)
            let own: [HTTPFields] = [
                [:], [fetchSite: "same-origin"], [fetchSite: "none"], [.origin: "http://localhost"],
                [.origin: "http://LOCALHOST:80"],
                [fetchSite: "same-origin", .origin: "null"],
            ]
            for headers in own {
                let isRefused = try await intake.take(ZeroBody(size: 10), headers: headers).refusal != nil
                #expect(!isRefused, "\(headers)")
            }
        }
    }
}
