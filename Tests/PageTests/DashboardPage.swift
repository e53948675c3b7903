import Foundation
import S3
import TestEnvironment

/// The example app's dashboard, as those who run it use it: something of everything is in it.
struct DashboardPage: Sendable {
    let page: GalleryPage

    var browser: Browser { self.page.browser }
    var address: String { self.page.installation.address + "/admin/" }

    /// A dashboard at the overview, in an installation that the suite's tests share.
    static func shared(_ body: @Sendable (DashboardPage, URL) async throws -> Void) async throws {
        try await GalleryPage.shared { page, folder in
            let dashboard = DashboardPage(page: page)
            try await dashboard.open()
            try await body(dashboard, folder)
        }
    }

    func open(_ path: String = "") async throws {
        try await self.browser.open(self.address + path)
        _ = try await self.browser.element("main h1")
    }

    /// Sends files by the form, without waiting for what becomes of them.
    func send(_ names: [String], _ folder: URL) async throws {
        try await self.page.openForm()
        try await self.page.choose(
            try names.map { try SampleFile($0, in: folder, text: "the content of \($0)").url },
            in: "documents"
        )
        try await self.page.submit()
        try await eventually("they are sent") { try await self.browser.url.contains("/uploads") }
    }

    /// Sends files whose tmp objects are gone before a worker comes to them, so that they fail for good.
    func sendInVain(_ names: [String], _ folder: URL) async throws {
        try await self.page.setFaults("unavailable operation=CopyObject")
        try await self.send(names, folder)
        try await self.page.withStorage { client, bucket in
            let objects = try await client.listObjects(bucket: bucket, prefix: "tmp/").objects
            _ = try await client.deleteObjects(bucket: bucket, objects.map { S3ObjectIdentifier(key: $0.key) })
        }
        try await self.page.setFaults("")
    }

    /// The text of a row of a table, `nil` when there is none with this key.
    func row(_ key: String, of table: String) async throws -> String? {
        try await self.browser.run(
            """
            const section = document.getElementById('\(table)')?.closest('section')
            return section?.querySelector(`tr[data-key="${CSS.escape('\(key)')}"]`)?.innerText ?? null
            """
        )
    }

    /// Waits for a page with this notice. A click returns when the browser has begun to leave the page, and what is found until it has left is
    /// of the page before.
    func untilNotice(_ words: String) async throws {
        try await eventually("the notice is: \(words)") {
            try await self.browser.run("return document.querySelector('.dash-notice')?.innerText ?? null") == words
        }
    }

    var state: String {
        get async throws { try await self.browser.element(".dash-state").text }
    }

    /// Whether the page is kept current, and by when it was.
    var seen: String {
        get async throws { try await self.browser.element(".dash-seen").text }
    }

    func untilLive() async throws {
        try await eventually("it is live") { try await self.seen.hasPrefix("Live:") }
    }
}
