import Foundation
import TestEnvironment
import Testing

/// Our script on a page of a Django app with django-s3file 7.0.3, which nobody changed.
@Suite(.enabled(if: DjangoSite.isInstalled, "\(DjangoSite.missing)"), .timeLimit(.minutes(3)))
struct DjangoPageTests {
    @Test func `Django's middleware takes the form that our script sends from Django's page`() async throws {
        try await Installation.with { ours in
            try await self.withDjango(scripts: ours.address + "/s3file/") { django in
                try await withTemporaryFolder { folder in
                    let file = try SampleFile("100% a&b ü.txt", in: folder, text: "hello")
                    try await Browser.with { browser in
                        try await browser.open(django.address + "/")
                        try await browser.element("input[name=documents].s3file").choose([file.url])
                        try await browser.element("form > button").click()
                        let text = try await eventually(within: .seconds(30)) { () -> String? in
                            let text = try await browser.run("return document.body.textContent") ?? ""
                            return text.contains("Documents") ? nil : text
                        }
                        // The name of the key, which is random; then what Django read from S3: SHA-256 of "hello".
                        let parts = text.split(separator: " ")
                        let isKey = parts.first.map { $0.utf8.count >= 22 && !$0.contains("100%") }
                        #expect(parts.count == 3 && isKey == true && parts[1] == "5", "\(text)")
                        #expect(parts.last == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
                    }
                }
            }
        }
    }

    private func withDjango(scripts: String, _ body: @Sendable (DjangoSite) async throws -> Void) async throws {
        try await TestDevServer.run { server in
            try await DjangoSite.with(
                endpoint: server.endpoint,
                bucket: server.bucket,
                credentials: server.credentials,
                scripts: scripts,
                body
            )
        }
    }
}
