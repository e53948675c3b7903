import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import S3
import TestEnvironment

/// The example app's pages, as a person uses them.
struct GalleryPage: Sendable {
    let browser: Browser
    let installation: Installation

    /// A browser at the form of a new installation.
    static func with(
        environment: [String: String] = [:],
        workerAfter signal: String? = nil,
        _ body: @Sendable (GalleryPage, URL) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { files in
            let signal = signal.map { files.appendingPathComponent($0) }
            try await Installation.with(environment: environment, workerAfter: signal) { installation in
                try await Browser.with { browser in
                    let page = GalleryPage(browser: browser, installation: installation)
                    try await page.openForm()
                    try await body(page, files)
                }
            }
        }
    }

    /// The files of a folder and a browser that nobody has used, at the form of an installation that the suite's tests share.
    static func shared(_ body: @Sendable (GalleryPage, URL) async throws -> Void) async throws {
        guard let page = SharedPage.page else { throw WebDriverError(description: "the suite lacks the trait .sharedPage") }
        try await page.setFaults("")
        try await page.openForm()
        try await page.browser.forget()
        try await page.browser.resize(width: 1000, height: 1250)
        try await page.openForm()
        try await withTemporaryFolder { try await body(page, $0) }
    }

    func openForm() async throws {
        try await self.browser.open(self.installation.address + "/")
        _ = try await self.browser.element("form button[type=submit]")
    }

    func choose(_ files: [URL], in field: String) async throws {
        try await self.browser.element("input[name=\(field)]").choose(files)
    }

    func submit() async throws {
        try await self.browser.element("form button[type=submit]").click()
    }

    /// The rows of the chosen files.
    func rows() async throws -> [(state: String, text: String)] {
        var rows: [(String, String)] = []
        for row in try await self.browser.elements("li.s3file-file") {
            rows.append((try await row.attribute("data-state") ?? "", try await row.text))
        }
        return rows
    }

    /// Waits for a row in this state, and returns its text.
    func row(in state: String, within patience: Duration = .seconds(20)) async throws -> String {
        try await self.browser.element("li.s3file-file[data-state=\(state)]", within: patience).text
    }

    struct Stored: Sendable {
        var name: String
        var link: String
    }

    /// Waits for the page of uploads, and until all of them are stored that were not withdrawn.
    func stored(_ count: Int, within patience: Duration = .seconds(60)) async throws -> [Stored] {
        try await eventually(within: patience) {
            try await self.browser.url.contains("/uploads") ? () : nil
        }
        return try await eventually(within: patience) {
            let states = try await self.browser.elements("s3file-status:not([data-state=cancelled])").count
            let links = try await self.browser.elements("s3file-status[data-state=stored] a.s3file-link")
            guard states == count, links.count == count else { return nil }
            var stored: [Stored] = []
            for link in links {
                stored.append(Stored(name: try await link.text, link: try await link.attribute("href") ?? ""))
            }
            return stored
        }
    }

    /// Keeps the names and details of the script's events from now on.
    func listen() async throws {
        try await self.browser.run(
            """
            window.heard = []
            for (const name of ['start', 'progress', 'retry', 'uploaded', 'error', 'cancel']) {
                document.addEventListener('s3file:' + name, ({ type, detail }) => heard.push([type.slice(7), detail.name, detail.code].join(' ').trim()))
            }
            """
        )
    }

    /// The events since ``listen()``, but those of progress.
    func events() async throws -> [String] {
        let text = try await self.browser.run("return heard.filter((event) => !event.startsWith('progress')).join('\\n')") ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// What the polite live region and the alert of the form say.
    func spoken() async throws -> (status: String, alert: String) {
        (
            try await self.browser.run("return document.querySelector('.s3file-spoken[role=status]').textContent") ?? "",
            try await self.browser.run("return document.querySelector('.s3file-spoken[role=alert]').textContent") ?? ""
        )
    }

    /// The bucket that the page's files are posted to, as the page names it.
    func bucket() async throws -> (endpoint: String, name: String) {
        let page = String(decoding: try await self.bytes(at: "/"), as: UTF8.self)
        guard let start = page.range(of: "data-url=\"")?.upperBound,
            let url = URL(string: String(page[start...].prefix { $0 != "\"" })),
            let port = url.port
        else {
            throw WebDriverError(description: "the page has no data-url")
        }
        return ("http://127.0.0.1:\(port)", url.lastPathComponent)
    }

    /// Lets the development server misbehave; with an empty text no longer.
    func setFaults(_ rules: String) async throws {
        var request = HTTPClientRequest(url: try await self.bucket().endpoint + "/_faults")
        request.method = .PUT
        request.body = .bytes(ByteBuffer(string: rules))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        guard response.status == .ok else { throw WebDriverError(description: "/_faults answered \(response.status)") }
    }

    /// A client of the storage behind the page.
    func withStorage<R: Sendable>(_ body: (S3Client, _ bucket: String) async throws -> R) async throws -> R {
        let (endpoint, bucket) = try await self.bucket()
        let configuration = S3Configuration(
            endpoint: endpoint,
            region: "us-east-1",
            credentials: StaticCredentials(S3Credentials(accessKeyID: "s3file-dev", secretAccessKey: "s3file-dev-secret-key"))
        )
        return try await TestStore.withClient(configuration) { client, _ in try await body(client, bucket) }
    }

    /// What is behind a link of the page.
    func bytes(at link: String) async throws -> Data {
        let url = link.hasPrefix("/") ? self.installation.address + link : link
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 64 << 20)
        guard response.status.code == 200 else {
            throw WebDriverError(description: "\(link) answered \(response.status.code): \(String(buffer: body))")
        }
        return Data(buffer: body)
    }
}
