import Crypto
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import S3
import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

/// Forms that cross between an app of ours and a Django app with django-s3file 7.0.3, which nobody changed.
@Suite(
    .enabled(if: DjangoSite.isInstalled, "\(DjangoSite.missing)"),
    .timeLimit(.minutes(2))
)
struct DjangoTests {
    private func withSites(
        secret: String? = DjangoSite.secret,
        _ body: @escaping @Sendable (TestSite, DjangoSite) async throws -> Void
    ) async throws {
        try await withSite(configure: { $0.djangoSecret = secret }) { site async throws in
            try await DjangoSite.with(site) { try await body(site, $0) }
        }
    }

    /// What Django's handler says of a file.
    private func digest(_ text: String) -> String {
        "\(text.utf8.count) " + SHA256.hash(data: Data(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func `Django takes the form that it drew and our script posted`() async throws {
        try await self.withSites { _, django in
            let input = try await django.input()
            let key = try await input.upload("hello", filename: "a b.txt", replacing: "AAAAAAAAAAAAAAAAAAAAAA")
            let answer = try await django.post(input.post(key, filename: "a b.txt"))
            #expect(answer.status == 200 && answer.text == "AAAAAAAAAAAAAAAAAAAAAA " + self.digest("hello"))
            // And it looks at the signature.
            let other = try await django.input()
            #expect(try await django.post(other.post(key, filename: "a b.txt")).status == 403)
        }
    }

    @Test func `Django takes the form that we drew for it`() async throws {
        try await self.withSites { site, django in
            let html = try await site.uploads.djangoInput(TestSite.documents).html()
            #expect(!html.contains("data-s3f-inputs"))
            let input = try DrawnInput(html: html)
            let key = try await input.upload("hello", filename: "a.txt", replacing: "AAAAAAAAAAAAAAAAAAAAAA")
            let answer = try await django.post(input.post(key, filename: "a.txt"))
            #expect(answer.status == 200 && answer.text.hasSuffix(self.digest("hello")))
        }
    }

    @Test func `we take the form that Django drew, by its script or ours`() async throws {
        try await self.withSites { site, django in
            try await site.app().test(.router) { client async throws in
                for (filename, replacing) in [("100% a&b.txt", nil), ("ours.txt", "AAAAAAAAAAAAAAAAAAAAAA")]
                    as [(String, String?)]
                {
                    let input = try await django.input()
                    let key = try await input.upload("hello", filename: filename, replacing: replacing)
                        .replacing("&amp;", with: "&")
                    let answer = try await client.post(input.post(key, filename: replacing == nil ? nil : filename))
                    #expect(answer.status == .ok && answer.text.hasSuffix("\t" + filename), "\(answer.text)")
                }
                #expect(try await site.rows() == ["queued", "queued"])
            }
        }
    }

    @Test func `Django's signature is good for its folder of tmp objects alone`() async throws {
        try await self.withSites { site, django in
            let (input, other) = (try await django.input(), try await django.input())
            let key = try await input.upload("hello", filename: "a.txt", replacing: nil)
            let folder = key.dropLast("/a.txt".count)
            for bad in ["\(folder)X/a.txt", "\(folder)/../a.txt", "\(folder)//a.txt", "\(folder)", "private/a.txt", "a.txt"] {
                let fields = input.post(bad, filename: "a.txt")
                try await RefusedFormTests().expectRefusal(site, fields, status: 403, code: "invalid_key")
            }
            try await RefusedFormTests().expectRefusal(
                site,
                other.post(key, filename: "a.txt"),
                status: 403,
                code: "invalid_key"
            )
        }
    }

    @Test func `it is nothing to an app that did not switch it on`() async throws {
        try await self.withSites(secret: nil) { site, django in
            let input = try await django.input()
            let key = try await input.upload("hello", filename: "a.txt", replacing: nil)
            let fields = input.post(key, filename: "a.txt")
            try await RefusedFormTests().expectRefusal(site, fields, status: 403, code: "invalid_ticket")
            await #expect(throws: ConfigurationError.self) { try await site.uploads.djangoInput(TestSite.documents) }
        }
    }
}
