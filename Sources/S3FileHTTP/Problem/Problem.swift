package import HTTPTypes
import NIOCore
import NIOFoundationCompat
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is wrong with a request: a page for people, problem details (RFC 9457) for programs.
package struct Problem: Error, Sendable {
    /// One of several things that are wrong with a form.
    package struct Fault: Encodable, Sendable, Equatable {
        var field: String?
        var filename: String?
        var code: String
        var detail: String

        package init(field: String? = nil, filename: String? = nil, code: String, detail: String) {
            self.field = field
            self.filename = filename
            self.code = code
            self.detail = detail
        }
    }

    package var status: HTTPResponse.Status
    /// A short name of the kind of problem, for programs.
    package var code: String
    /// A sentence that says what to do.
    package var detail: String
    var field: String?
    var filename: String?
    package var headers: HTTPFields = [:]
    /// All that is wrong with a form, the first as above; empty where it is no form.
    package var errors: [Fault] = []
    /// This occurrence, as the log names it.
    package var instance: String?
    /// For the log.
    package var underlying: (any Error)?

    package init(
        status: HTTPResponse.Status,
        code: String,
        detail: String,
        field: String? = nil,
        filename: String? = nil,
        headers: HTTPFields = [:],
        errors: [Fault] = [],
        underlying: (any Error)? = nil
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.filename = filename
        self.headers = headers
        self.errors = errors
        self.underlying = underlying
    }

    /// By what the client accepts. A form that was posted to an app is answered so; the endpoints only speak JSON.
    ///
    /// - Parameter paths: where the app has the stylesheet.
    func answer(to request: HTTPRequest, paths: UploadPaths) -> HTTPAnswer {
        var answer =
            AcceptedAnswer.prefersHTML(request.headerFields[values: .accept]) ? self.page(for: request, paths) : self.details()
        answer.headers[.vary] = "Accept"
        // The same headers as to a GET, and nothing more. <https://www.rfc-editor.org/rfc/rfc9110#name-head>
        if request.method == .head { answer.body = .empty }
        return answer
    }

    /// `application/problem+json`, as RFC 9457 section 3 has it, with our code, field, file name and errors as extension members.
    package func details() -> HTTPAnswer {
        let members = Members(
            type: "urn:s3file:problem:\(self.code)",
            title: self.title,
            status: self.status.code,
            detail: self.detail,
            instance: self.instance,
            code: self.code,
            field: self.field,
            filename: self.filename,
            errors: self.errors.isEmpty ? nil : self.errors
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
        var instance: String?
        var code: String
        var field: String?
        var filename: String?
        var errors: [Fault]?
    }

    /// The kind of problem in words, the same each time: "missing_object" is "Missing object".
    private var title: String {
        let words = self.code.split(separator: "_").joined(separator: " ")
        return words.prefix(1).uppercased() + words.dropFirst()
    }

    /// Without script or inline style, so that it shows under any content security policy.
    private func page(for request: HTTPRequest, _ paths: UploadPaths) -> HTTPAnswer {
        let faults = self.errors.isEmpty ? [Fault(filename: self.filename, code: self.code, detail: self.detail)] : self.errors
        let html = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>The form was not accepted</title>
            <link rel="stylesheet" href="\(HTMLText.escaped(paths.stylesheet))">
            </head>
            <body>
            <main class="s3file-page">
            <h1>The form was not accepted</h1>
            \(Self.html(faults))<p><a href="\(HTMLText.escaped(Self.wayBack(from: request)))">Back to the form</a></p>
            </main>
            </body>
            </html>

            """
        return self.answer(contentType: "text/html; charset=utf-8", body: ByteBuffer(string: html))
    }

    private static func html(_ faults: [Fault]) -> String {
        let files = faults.map { fault in
            fault.filename.map { "<p>File: <strong dir=\"auto\">\(HTMLText.escaped($0))</strong></p>\n" } ?? ""
        }
        if faults.count == 1 { return "<p role=\"alert\">\(HTMLText.escaped(faults[0].detail))</p>\n" + files[0] }
        let items = zip(faults, files).map { "<li><p>\(HTMLText.escaped($0.detail))</p>\n\($1)</li>\n" }
        return "<ul role=\"alert\">\n\(items.joined())</ul>\n"
    }

    private func answer(contentType: String, body: ByteBuffer) -> HTTPAnswer {
        var headers = self.headers
        headers[.contentType] = contentType
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        return HTTPAnswer(status: self.status, headers: headers, body: .bytes(body))
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
