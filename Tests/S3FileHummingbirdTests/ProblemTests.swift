import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import S3File
@testable import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("What a refusal says")
struct ProblemTests {
    @Test func `all that is wrong with a form is told at once`() async throws {
        try await withSite { site async throws in
            let documents = try await site.draw(TestSite.documents)
            let avatar = try await site.draw(TestSite.avatar)
            try await site.put(documents.folder + "/large", size: 100_001)
            try await site.put(documents.folder + "/good")
            try await site.put(avatar.folder + "/a", text: "no image")
            let form =
                documents.post([
                    (documents.folder + "/large", "<large>.txt"), (documents.folder + "/good", "good.txt"),
                    (documents.folder + "/missing", "missing.txt"),
                ]) + avatar.post([(avatar.folder + "/a", "a.png")])
            try await site.app().test(.router) { client async throws in
                let response = try await client.post(form)
                #expect(response.status == .unprocessableContent, "they differ")
                let object = try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView))
                let problem = try #require(object as? [String: Any])
                let errors = try #require(problem["errors"] as? [[String: String]])
                #expect(errors.map { $0["code"] } == ["wrong_type", "too_large", "missing_object"])
                #expect(errors.map { $0["field"] } == ["avatar", "documents", "documents"])
                #expect(errors.map { $0["filename"] } == ["a.png", "<large>.txt", "missing.txt"])
                #expect(errors.allSatisfy { $0["detail"]?.hasSuffix(".") == true })
                #expect(problem["code"] as? String == "wrong_type" && problem["detail"] as? String == errors[0]["detail"])
                let page = try await client.post(form, headers: [.accept: "text/html"]).text
                #expect(page.components(separatedBy: "<li>").count == 4)
                #expect(page.contains("&lt;large&gt;.txt") && !page.contains("<large>"))
                #expect(page.components(separatedBy: "role=\"alert\"").count == 2)
            }
            #expect(try await site.rows().isEmpty)
        }
    }

    @Test func `two fields that want a file are two problems of one kind`() async throws {
        try await withSite { site async throws in
            let fields = ["one", "two"].map { UploadField($0, uploadTo: "x/", maximumSize: .kilobytes(1), required: true) }
            try await site.app(fields: fields).test(.router) { client async throws in
                let response = try await client.post([("text", "x")])
                #expect(response.status == .unprocessableContent)
                #expect(response.text.components(separatedBy: "\"code\":\"required\"").count == 4)
            }
        }
    }

    @Test func `it has the members of RFC 9457, and an instance of its own`() async throws {
        try await withSite { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            try await site.app().test(.router) { client async throws in
                var instances: Set<String> = []
                for _ in 0..<2 {
                    let response = try await client.post(drawn.post([(drawn.folder + "/missing", "x.txt")]))
                    #expect(response.headers[.contentType] == "application/problem+json")
                    #expect(response.headers[.cacheControl] == "no-store")
                    #expect(response.headers[.vary] == "Accept")
                    let problem = try response.problem()
                    #expect(problem["type"] == "urn:s3file:problem:missing_object")
                    #expect(problem["title"] == "Missing object")
                    #expect(problem["status"] == "422")
                    instances.insert(problem["instance"] ?? "")
                }
                #expect(instances.count == 2 && instances.allSatisfy { $0.hasPrefix("urn:uuid:") })
            }
        }
    }

    @Test(arguments: [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),  // Firefox
        ("text/html", true), ("TEXT/HTML ; q=0.1", true), ("application/xhtml+xml", true),
        ("application/json, text/html;q=0.5", false), ("application/problem+json;q=0.2, text/html;q=0.9", true),
        ("application/json, text/html", true), ("text/html;q=0", false), ("text/html;q=0.0, */*", false), ("*/*", false),
        ("text/*", false), ("", false), ("text/html;q=x", false), ("application/json", false), (",,;q=1,", false),
    ])
    func `HTML is for those who ask for it`(accept: String, prefersHTML: Bool) {
        #expect(AcceptedAnswer.prefersHTML([accept]) == prefersHTML, "\(accept)")
    }

    @Test func `its page has the stylesheet from where the app has the routes`() {
        let problem = Problem(status: .notFound, code: "unknown_upload", detail: "x.")
        let request = HTTPRequest(
            method: .post,
            scheme: "http",
            authority: "localhost",
            path: "/",
            headerFields: [.accept: "text/html"]
        )
        guard case .bytes(let page) = problem.answer(to: request, paths: UploadPaths(root: "/files")).body else {
            Issue.record("it has no body")
            return
        }
        #expect(String(buffer: page).contains("href=\"/files/s3file.css\""))
    }

    @Test func `a HEAD is answered with the headers alone`() {
        let problem = Problem(status: .notFound, code: "unknown_upload", detail: "x.")
        let answer = problem.answer(
            to: HTTPRequest(method: .head, scheme: "http", authority: "localhost", path: "/"),
            paths: .standard
        )
        guard case .empty = answer.body else {
            Issue.record("it has a body")
            return
        }
        #expect(answer.headers[.contentType] == "application/problem+json")
    }
}
