import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
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

    /// Waits for the page of uploads, and until all of them are stored.
    func stored(_ count: Int, within patience: Duration = .seconds(60)) async throws -> [Stored] {
        try await eventually(within: patience) {
            try await self.browser.url.contains("/uploads") ? () : nil
        }
        return try await eventually(within: patience) {
            let states = try await self.browser.elements("s3file-status").count
            let links = try await self.browser.elements("s3file-status[data-state=stored] a.s3file-link")
            guard states == count, links.count == count else { return nil }
            var stored: [Stored] = []
            for link in links {
                stored.append(Stored(name: try await link.text, link: try await link.attribute("href") ?? ""))
            }
            return stored
        }
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
