import HTTPTypes
import NIOCore
import NIOFoundationCompat
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is wrong with a request: a page for people, problem details (RFC 9457) for programs.
struct Problem: Error, Sendable {
    var status: HTTPResponse.Status
    /// A short name of the kind of problem, for programs.
    var code: String
    /// A sentence that says what to do.
    var detail: String
    var field: String?
    var filename: String?
    var headers: HTTPFields = [:]

    func answer(to request: HTTPRequest) -> HTTPAnswer {
        Self.prefersHTML(request) ? self.page(for: request) : self.details()
    }

    /// `application/problem+json`, as RFC 9457 section 3 has it, with our code, field and file name as extension members.
    func details() -> HTTPAnswer {
        let members = Members(
            type: "about:blank",
            title: self.status.reasonPhrase,
            status: self.status.code,
            detail: self.detail,
            code: self.code,
            field: self.field,
            filename: self.filename
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = (try? encoder.encodeAsByteBuffer(members, allocator: ByteBufferAllocator())) ?? ByteBuffer(string: "{}")
        return self.answer(contentType: "application/problem+json", body: body)
    }

    private struct Members: Encodable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        var code: String
        var field: String?
        var filename: String?
    }

    /// Without script or inline style, so that it shows under any content security policy.
    private func page(for request: HTTPRequest) -> HTTPAnswer {
        let file = self.filename.map { "<p>File: <strong dir=\"auto\">\(HTMLText.escaped($0))</strong></p>\n" } ?? ""
        let html = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>The form was not accepted</title>
            <link rel="stylesheet" href="\(UploadPaths.standard.stylesheet)">
            </head>
            <body>
            <main class="s3file-page">
            <h1>The form was not accepted</h1>
            <p role="alert">\(HTMLText.escaped(self.detail))</p>
            \(file)<p><a href="\(HTMLText.escaped(Self.wayBack(from: request)))">Back to the form</a></p>
            </main>
            </body>
            </html>

            """
        return self.answer(contentType: "text/html; charset=utf-8", body: ByteBuffer(string: html))
    }

    private func answer(contentType: String, body: ByteBuffer) -> HTTPAnswer {
        var headers = self.headers
        headers[.contentType] = contentType
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        return HTTPAnswer(status: self.status, headers: headers, body: .bytes(body))
    }

    /// Whether `Accept` names HTML, and not only by a wildcard.
    private static func prefersHTML(_ request: HTTPRequest) -> Bool {
        request.headerFields[values: .accept].joined(separator: ",").split(separator: ",").contains { range in
            let type = range.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
            return type == "text/html" || type == "application/xhtml+xml"
        }
    }

    /// The page the form was on: the referring page when it is ours, else the form's own address. Only ever a path on this host.
    static func wayBack(from request: HTTPRequest) -> String {
        let fallback = Self.safePath(request.pathWithoutQuery) ?? "/"
        guard let referer = request.headerFields[.referer], let host = request.authority else {
            return fallback
        }
        for scheme in ["https://", "http://"] where referer.hasPrefix(scheme + host) {
            return Self.safePath(String(referer.dropFirst(scheme.count + host.count))) ?? fallback
        }
        return fallback
    }

    /// Nil for what a browser could read as another host.
    private static func safePath(_ path: String) -> String? {
        guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.hasPrefix("/\\"), !path.utf8.contains(where: { $0 < 0x20 }) else {
            return nil
        }
        return path
    }
}

extension HTTPRequest {
    fileprivate var pathWithoutQuery: String {
        String((self.path ?? "").prefix { $0 != "?" && $0 != "#" })
    }
}
