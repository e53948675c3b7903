import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Postgres
import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("The routes of the script and of an upload's status")
struct UploadRoutesTests {
    /// A site with one queued upload.
    func withUpload(_ body: @escaping @Sendable (TestSite, Upload, any TestClientProtocol) async throws -> Void) async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile(name: "ünï \"文\".txt")
            try await site.app().test(.router) { client async throws in
                #expect(try await client.post(drawn.post([file])).status == .ok)
                let upload = try #require(try await site.uploads.recent(owner: "ada", limit: 1).first)
                try await body(site, upload, client)
            }
        }
    }

    func get(_ client: any TestClientProtocol, _ uri: String, _ headers: HTTPFields = [:]) async throws -> TestResponse {
        try await client.execute(uri: uri, method: .get, headers: headers)
    }

    @Test("the token, in the query or as a bearer, opens the status of its upload")
    func status() async throws {
        try await self.withUpload { site, upload, client async throws in
            let path = UploadPaths.standard.status(of: upload.id, in: site.uploads)
            let response = try await self.get(client, path)
            #expect(response.status == .ok)
            #expect(response.headers[.contentType] == "application/json")
            #expect(response.headers[.cacheControl] == "no-cache, private")
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView)) as? [String: Any]
            )
            #expect(json["id"] as? String == upload.id.uuidString.lowercased())
            #expect(json["status"] as? String == "queued")
            #expect(json["filename"] as? String == "ünï \"文\".txt")
            #expect(json["size"] as? Int == 5)
            #expect(json["url"] == nil && json["owner"] == nil)
            let token = site.uploads.statusToken(for: upload.id)
            let bearer = try await self.get(client, "/s3file/uploads/\(upload.id)", [.authorization: "Bearer \(token)"])
            #expect(bearer.text == response.text)
        }
    }

    @Test("an unknown upload, a wrong token and a malformed id are answered alike, and no token with 401")
    func authorisation() async throws {
        try await self.withUpload { site, upload, client async throws in
            let stranger = UUID()
            let paths = [
                "/s3file/uploads/\(upload.id)?token=\(site.uploads.statusToken(for: stranger))",
                "/s3file/uploads/\(upload.id)?token=",
                "/s3file/uploads/\(stranger)?token=\(site.uploads.statusToken(for: stranger))",
                "/s3file/uploads/\(stranger)?token=x",
                "/s3file/uploads/1?token=x",
            ]
            var answers: Set<String> = []
            for path in paths {
                let response = try await self.get(client, path)
                #expect(response.status == .notFound)
                #expect(response.headers[.contentType] == "application/problem+json")
                answers.insert(response.text)
            }
            #expect(answers.count == 1)
            for id in [upload.id, stranger] {
                let response = try await self.get(client, "/s3file/uploads/\(id)")
                #expect(response.status == .unauthorized)
                #expect(response.headers[.wwwAuthenticate] == "Bearer")
                #expect(try response.problem()["code"] == "token_required")
            }
        }
    }

    @Test("the ETag stands for the record: 304 while nothing changed, 200 and another tag after")
    func entityTag() async throws {
        try await self.withUpload { site, upload, client async throws in
            let path = UploadPaths.standard.status(of: upload.id, in: site.uploads)
            let tag = try #require(try await self.get(client, path).headers[.eTag])
            for candidates in [tag, "W/" + tag, "\"a\", " + tag, "*"] {
                let response = try await self.get(client, path, [.ifNoneMatch: candidates])
                #expect(response.status == .notModified)
                #expect(response.body.readableBytes == 0)
                #expect(response.headers[.eTag] == tag)
            }
            try await site.uploads.cancel([upload.id])
            let changed = try await self.get(client, path, [.ifNoneMatch: tag])
            #expect(changed.status == .ok)
            #expect(changed.headers[.eTag] != tag)
            #expect(changed.text.contains("\"status\":\"cancelled\""))
        }
    }

    @Test("a stored upload tells where it can be fetched, and its ETag does not change with the URL's signature")
    func stored() async throws {
        try await self.withUpload { site, upload, client async throws in
            _ = try await site.database.query(
                """
                with ended as (delete from s3file.job where upload_id = \(upload.id))
                update s3file.upload set state = 2, finished_at = now(), attempt = 1, copied = size where id = \(upload.id)
                """
            )
            let path = UploadPaths.standard.status(of: upload.id, in: site.uploads)
            let response = try await self.get(client, path)
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView)) as? [String: Any]
            )
            #expect((json["url"] as? String)?.contains("X-Amz-Signature=") == true)
            let tag = try #require(response.headers[.eTag])
            // The tag's period may turn between two requests, but not twice.
            let again = try await self.get(client, path, [.ifNoneMatch: tag])
            let later = try await self.get(client, path, [.ifNoneMatch: again.headers[.eTag] ?? ""])
            #expect(again.status == .notModified || later.status == .notModified)
        }
    }

    @Test("script and stylesheet are served with their types and an ETag, the script without its comments")
    func assets() async throws {
        try await withSite { site async throws in
            try await self.checkAssets(of: site)
        }
    }

    func checkAssets(of site: TestSite) async throws {
        try await site.app().test(.router) { client async throws in
            let scripts = ["s3file.js", "s3file-retry.js", "s3file-options.js", "s3file-multipart.js", "s3file-status.js"]
            for (path, type) in scripts.map({ ($0, "text/javascript") }) + [("s3file.css", "text/css")] {
                let response = try await self.get(client, "/s3file/" + path)
                #expect(response.status == .ok)
                #expect(response.headers[.contentType]?.hasPrefix(type) == true)
                #expect(response.headers[.cacheControl]?.contains("max-age") == true)
                let tag = try #require(response.headers[.eTag])
                #expect(try await self.get(client, "/s3file/" + path, [.ifNoneMatch: tag]).status == .notModified)
            }
            var script = ""
            for path in scripts { script += try await self.get(client, "/s3file/" + path).text }
            #expect(script.contains("customElements.define"))
            for line in script.split(separator: "\n") {
                #expect(!line.hasPrefix("//") && !line.hasPrefix(" "))
                #expect(line.count { $0 == "`" } % 2 == 0, "a string over several lines would lose its indentation: \(line)")
            }
            // A release's scripts go together: one may be kept for ever at its own address, and at another's not at all.
            let version = try #require(script.firstMatch(of: /\.js\?v=([0-9a-f]{16})\$\{/)).output.1
            for path in scripts {
                let own = try await self.get(client, "/s3file/\(path)?v=\(version)")
                #expect(own.headers[.cacheControl] == "public, max-age=31536000, immutable" && own.status == .ok)
                let other = try await self.get(client, "/s3file/\(path)?v=0123456789abcdef")
                #expect(other.headers[.cacheControl] == "no-cache" && other.text == own.text)
            }
            // What stands in strings and patterns stays as it is.
            for text in ["'Trying again in {time}'", "split(/[\\s,]+/)", "`${code} ${message}`"] {
                #expect(script.contains(text))
            }
            for word in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute('style'"] {
                #expect(!script.contains(word))
            }
        }
    }
}
