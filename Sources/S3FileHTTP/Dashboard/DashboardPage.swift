import HTTPTypes
import NIOCore
import S3File

/// A page of the dashboard: what is the same on all of them, and the headers that they are sent with.
struct DashboardPage: Sendable {
    /// Which of the links at the top is this one.
    enum Place: Sendable {
        case overview, uploads, elsewhere
    }

    var title: String
    /// Leads to the dashboard's root: the beginning of every link.
    var root: String
    var place: Place
    /// What was written into the search field.
    var searched = ""
    /// Between the heading and the rest of the page; itself not replaced.
    var notice: Notice?
    var content: HTML

    /// Nothing runs, is shown or is sent anywhere that does not come from here.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'",
        "frame-ancestors 'none'", "base-uri 'none'",
    ].joined(separator: "; ")

    static var headers: HTTPFields {
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8",
            .cacheControl: "no-store",
            .contentSecurityPolicy: Self.policy,
            .xContentTypeOptions: "nosniff",
        ]
        if let referrerPolicy = HTTPField.Name("Referrer-Policy") { headers[referrerPolicy] = "same-origin" }
        return headers
    }

    func answer(status: HTTPResponse.Status = .ok, headers more: HTTPFields = [:]) -> HTTPAnswer {
        var headers = Self.headers
        for field in more { headers[field.name] = field.value }
        return HTTPAnswer(status: status, headers: headers, body: .bytes(ByteBuffer(string: self.html.text)))
    }

    /// Why something was not done.
    static func refusal(_ problem: Problem, root: String) -> DashboardPage {
        DashboardPage(
            title: "Not done",
            root: root,
            place: .elsewhere,
            content: """
                <h1>This was not done</h1>
                <p class="dash-refusal" role="alert">\(problem.detail)</p>
                <p><a href="\(root.isEmpty ? "./" : root)">To the overview</a></p>

                """
        )
    }

    private var html: HTML {
        let version = BrowserAsset.dashboardVersion
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="robots" content="noindex">
            <title>\(self.title) · S3File</title>
            <link rel="stylesheet" href="\(self.root)dashboard.css?v=\(version)">
            <script type="module" src="\(self.root)dashboard.js?v=\(version)"></script>
            </head>
            <body class="s3file-page dash">
            <a class="dash-skip" href="#main">To the content</a>
            <header class="dash-bar">
            <p class="dash-brand">S3File</p>
            <nav aria-label="Pages">
            <a href="\(self.root.isEmpty ? "./" : self.root)"\(self.current(.overview))>Overview</a>
            <a href="\(self.root)uploads"\(self.current(.uploads))>Uploads</a>
            </nav>
            <form class="dash-search" role="search" action="\(self.root)uploads">
            <label class="dash-hidden" for="q">Upload id, key, tmp key or owner</label>
            <input type="search" id="q" name="q" value="\(self.searched)" placeholder="Id, key or owner" maxlength="1024" autocomplete="off">
            <button>Find</button>
            </form>
            </header>
            <main id="main">
            \(self.notice.map(\.html))\(self.content)</main>
            </body>
            </html>

            """
    }

    private func current(_ place: Place) -> HTML {
        place == self.place ? " aria-current=\"page\"" : ""
    }
}
