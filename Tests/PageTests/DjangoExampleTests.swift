import Foundation
import Postgres
import S3
import TestEnvironment
import Testing

/// Examples/Django as its README starts it: `s3file dev` with Postgres, an S3 server and a worker; `s3file serve`; Django; and a browser.
@Suite(
    .enabled(if: DjangoSite.hasPsycopg, "Install Django and psycopg from PyPI, as bin/test does, to run the example."),
    .timeLimit(.minutes(4))
)
struct DjangoExampleTests {
    private static let run = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples/Django/run").path

    @Test func `a file is stored with its report, and not without it`() async throws {
        try await withTestDatabase { database, url in
            let s3Port = try unusedPort()
            // The script names `s3file` as a person would.
            let path = Program.folder + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
            try await Installation.with(
                command: [Self.run],
                s3Port: s3Port,
                environment: ["DATABASE_URL": url, "PATH": path]
            ) { installation in
                try await withTemporaryFolder { folder in
                    try await Browser.with { browser in
                        let page = DjangoPage(browser: browser, address: installation.address)
                        try await page.send(title: "Third quarter", file: try SampleFile("Q3 & ü.txt", in: folder, text: "third"))
                        // The status page follows it by the script, to its end.
                        _ = try await browser.element("s3file-status[data-state=stored]", within: .seconds(60))
                        #expect(try await browser.url.contains("/reports/"))
                        #expect(try await page.records(of: database) == ["Third quarter stored reports/Q3__ü.txt"])

                        // The database refuses a second report of this title, after the file was enqueued in the same transaction.
                        try await page.send(
                            title: "Third quarter",
                            file: try SampleFile("fourth.txt", in: folder, text: "fourth")
                        )
                        let error = try await browser.element("[role=alert]:not(:empty)").text
                        #expect(error == "You have a report of this title already.")
                        #expect(try await page.records(of: database).count == 1)
                        #expect(try await page.uploads(of: database) == 1)
                        #expect(try await page.keys(onPort: s3Port).filter { !$0.hasPrefix("tmp/") }.count == 1)

                        // The file was kept: another title is enough.
                        #expect(try await browser.element(".s3file-kept").text.contains("fourth.txt"))
                        try await page.send(title: "Fourth quarter", file: nil)
                        _ = try await browser.element("s3file-status[data-state=stored]", within: .seconds(60))
                        #expect(
                            try await page.records(of: database) == [
                                "Fourth quarter stored reports/fourth.txt", "Third quarter stored reports/Q3__ü.txt",
                            ]
                        )
                        #expect(try await page.keys(onPort: s3Port).filter { !$0.hasPrefix("tmp/") }.count == 2)
                        #expect(try await browser.complaints().filter { !$0.contains("422") } == [])
                    }
                }
            }
        }
    }
}

/// The example's form, as a person uses it, and what lies behind it.
private struct DjangoPage: Sendable {
    let browser: Browser
    let address: String

    /// Fills the form in and sends it; the form that stands there with an error, or else a new one.
    func send(title: String, file: SampleFile?) async throws {
        if file != nil { try await self.browser.open(self.address + "/") }
        let field = try await self.browser.element("#id_title")
        try await self.browser.run("document.querySelector('#id_title').value = ''")
        try await field.type(title)
        if let file { try await self.browser.element("input[name=report]").choose([file.url]) }
        try await self.browser.element("form button[type=submit]").click()
    }

    /// Title, status and key of each report, the key without the date in it.
    func records(of database: PostgresClient) async throws -> [String] {
        let rows = try await database.query(
            """
            select r.title, s.status, r.key = s.key as is_same, s.key from reports_report r join s3file.upload_status s on s.id = r.upload
             order by r.title
            """
        )
        return try rows.map { row in
            let (title, status) = (try row["title", String.self], try row["status", String.self])
            let key = try row["key", String.self].replacing(/[0-9]{4}\/[0-9]{2}\//, with: "")
            let isSame = try row["is_same", Bool.self]
            return "\(title) \(status) \(isSame ? key : "elsewhere")"
        }
    }

    func uploads(of database: PostgresClient) async throws -> Int64 {
        try await database.query("select count(*) as n from s3file.upload_status")[0]["n", Int64.self]
    }

    func keys(onPort port: Int) async throws -> [String] {
        let configuration = S3Configuration(
            endpoint: "http://127.0.0.1:\(port)",
            region: "us-east-1",
            credentials: StaticCredentials(accessKeyID: "s3file-dev", secretAccessKey: "s3file-dev-secret-key")
        )
        return try await TestStore.withClient(configuration) { client, _ in
            try await client.listObjects(bucket: "s3file-dev").objects.map(\.key)
        }
    }
}
