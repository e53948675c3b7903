import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import S3File
import S3FileHummingbird
import S3FileTesting
import Testing

/// As users test their handlers: no Postgres, no S3, no socket.
@Suite("An app's own tests")
struct TestUploadsTests {
    let test: TestUploads
    let pdf = ByteBuffer(string: "%PDF-1.7 …")

    init() throws {
        self.test = try TestUploads()
    }

    /// The app with its page, as ada sees it.
    private func withForm(_ body: @escaping @Sendable (any TestClientProtocol, TestForm) async throws -> Void) async throws {
        var app = Application(router: ReportApp.router(uploads: self.test.uploads))
        app.addServices(self.test.uploads)
        try await app.test(.router) { client async throws in
            let page = try await client.execute(uri: "/report", method: .get, headers: [.cookie: "session=ada"])
            try await body(client, TestForm(page: String(buffer: page.body)))
        }
    }

    private func post(_ form: TestForm, _ client: any TestClientProtocol, as user: String = "ada") async throws -> TestResponse {
        var headers = form.headers
        headers[.cookie] = "session=\(user)"
        return try await client.execute(uri: "/report", method: .post, headers: headers, body: form.body)
    }

    @Test func `the handler gets what was uploaded, and the file is stored when the test says so`() async throws {
        try await self.withForm { client, page async throws in
            var form = page
            #expect(form.inputNames == ["report"])
            form.set("title", "Third quarter")
            try await self.test.upload("q3 \"final\".pdf", self.pdf, contentType: "application/pdf", to: "report", of: &form)
            let response = try await self.post(form, client)
            #expect(response.status == .ok)
            let text = """
                Third quarter: q3 "final".pdf will be at reports/q3_final.pdf
                It begins with %PDF-1.7
                """
            #expect(String(buffer: response.body) == text)
            let upload = try #require(self.test.all.first)
            #expect(upload.status == .queued && upload.owner == "ada" && !self.test.isHeld(upload.id))
            let stored = try await self.test.store(upload.id)
            #expect(stored.status == .stored && self.test.tmpKeys.isEmpty)
            #expect(self.test.file(at: "reports/q3_final.pdf") == self.pdf)
            let path = UploadPaths.standard.status(of: upload.id, in: self.test.uploads)
            let status = try await client.execute(uri: path, method: .get)
            #expect(String(buffer: status.body).contains(#""status":"stored""#))
        }
    }

    @Test func `a form without JavaScript is tested the same way`() async throws {
        try await self.withForm { client, page async throws in
            var form = page
            form.set("title", "Third quarter")
            form.attach("q3.pdf", self.pdf, contentType: "application/pdf", to: "report")
            #expect(try await self.post(form, client).status == .ok)
            #expect(self.test.all.map(\.filename) == ["q3.pdf"])
        }
    }

    @Test func `when the handler refuses the form, its files are given up, and it can be posted again`() async throws {
        try await self.withForm { client, page async throws in
            var form = page
            try await self.test.upload("q3.pdf", self.pdf, contentType: "application/pdf", to: "report", of: &form)
            #expect(try await self.post(form, client).status == .unprocessableContent)
            #expect(self.test.all.map(\.status) == [.cancelled])
            #expect(self.test.all.first?.error?.code == "form_refused")
            form.set("title", "Third quarter")
            #expect(try await self.post(form, client).status == .ok)
            #expect(self.test.all.map(\.status) == [.queued])
            #expect(self.test.all.first?.error == nil)
        }
    }

    @Test func `the newest forms come first, and the files of one in its order, as in production`() async throws {
        for (number, names) in [["b.pdf", "a.pdf"], ["c.pdf"]].enumerated() {
            var form = TestForm()
            form.add(try await self.test.uploads.input(ReportApp.report, subject: "ada"))
            form.set("title", "form \(number)")
            for name in names {
                try await self.test.upload(name, self.pdf, contentType: "application/pdf", to: "report", of: &form)
            }
            let body = try FormBody.parse(form.body, contentType: form.headers[.contentType] ?? "")
            let promises = try await self.test.uploads.verify(body, fields: [ReportApp.report], subject: "ada")
            _ = try await self.test.uploads.enqueue(promises["report"] ?? [])
        }
        let recent = try await self.test.uploads.recent(owner: "ada")
        #expect(recent.map(\.filename) == ["c.pdf", "b.pdf", "a.pdf"])
        #expect(Set(recent.map(\.createdAt)).count == 2)
    }

    @Test func `a wait for news ends also when the app's services do not run`() async throws {
        let app = Application(router: ReportApp.router(uploads: self.test.uploads))
        var form = TestForm()
        form.add(try await self.test.uploads.input(ReportApp.report, subject: "ada"))
        form.set("title", "x")
        try await self.test.upload("a.pdf", self.pdf, contentType: "application/pdf", to: "report", of: &form)
        let posted = form
        try await app.test(.router) { client async throws in
            #expect(try await self.post(posted, client).status == .ok)
            let id = try #require(self.test.all.first?.id)
            let path = UploadPaths.standard.status(of: id, in: self.test.uploads)
            let tag = try #require(try await client.execute(uri: path, method: .get).headers[.eTag])
            let waited = try await client.execute(uri: path + "&wait=1", method: .get, headers: [.ifNoneMatch: tag])
            #expect(waited.status == .notModified)
        }
    }

    @Test func `the checks are those of production`() async throws {
        try await self.withForm { client, page async throws in
            var form = page
            form.set("title", "x")
            try await self.test.upload("a.pdf", "no PDF", contentType: "application/pdf", to: "report", of: &form)
            #expect(try await self.post(form, client).status == .unsupportedMediaType)
            var stolen = page
            stolen.set("title", "x")
            try await self.test.upload("a.pdf", self.pdf, contentType: "application/pdf", to: "report", of: &stolen)
            #expect(try await self.post(stolen, client, as: "eve").status == .forbidden)
            #expect(self.test.all.isEmpty)
        }
    }

    @Test func `an upload can fail, and be tried again`() async throws {
        try await self.withForm { client, page async throws in
            var form = page
            form.set("title", "x")
            try await self.test.upload("a.pdf", self.pdf, contentType: "application/pdf", to: "report", of: &form)
            #expect(try await self.post(form, client).status == .ok)
            let id = try #require(self.test.all.first?.id)
            try self.test.fail(id, code: "AccessDenied", message: "The bucket is closed.")
            let failed = try #require(try await self.test.uploads.upload(id))
            #expect(failed.error?.code == "AccessDenied" && failed.attempt == 1)
            await #expect(throws: TestUploadsError.self) { try await self.test.store(id) }
            #expect(try await self.test.uploads.retry([id]) == 1)
            #expect(try await self.test.store(id).status == .stored)
        }
    }

    @Test func `an input can be drawn without a page`() async throws {
        var form = TestForm()
        form.add(try await self.test.uploads.input(ReportApp.report, subject: "ada"))
        form.set("title", "x")
        try await self.test.upload("a.pdf", self.pdf, contentType: "application/pdf", to: "report", of: &form)
        await #expect(throws: TestUploadsError.self) {
            var other = TestForm()
            try await self.test.upload("a.pdf", "", to: "report", of: &other)
        }
        let posted = form
        let app = Application(router: ReportApp.router(uploads: self.test.uploads))
        try await app.test(.router) { client async throws in
            #expect(try await self.post(posted, client).status == .ok)
        }
    }
}
