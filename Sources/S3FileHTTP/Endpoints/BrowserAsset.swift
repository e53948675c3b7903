import Crypto
import HTTPTypes
import NIOCore

/// A file for browsers that is embedded in the binary, with the headers it is served with.
struct BrowserAsset: Sendable {
    let body: ByteBuffer
    let contentType: String
    let entityTag: String

    static let script = BrowserAsset(
        text: BrowserAsset.withoutComments(String(decoding: PackageResources.s3file_js, as: UTF8.self)),
        contentType: "text/javascript; charset=utf-8"
    )
    static let stylesheet = BrowserAsset(
        text: String(decoding: PackageResources.s3file_css, as: UTF8.self),
        contentType: "text/css; charset=utf-8"
    )

    init(text: String, contentType: String) {
        self.body = ByteBuffer(string: text)
        self.contentType = contentType
        let digest = SHA256.hash(data: Array(text.utf8)).prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        self.entityTag = "\"\(digest.joined())\""
    }

    /// The script writes each comment on a line of its own and no string over several lines, so both can go without reading it.
    static func withoutComments(_ script: String) -> String {
        script.split(separator: "\n")
            .map { $0.drop { $0 == " " } }
            .filter { !$0.hasPrefix("//") && !$0.isEmpty }
            .joined(separator: "\n") + "\n"
    }

    /// The file, or 304 when the browser has it. An hour without asking, so that a new release is soon seen everywhere.
    func answer(to request: EndpointRequest) -> HTTPAnswer {
        let headers: HTTPFields = [
            .contentType: self.contentType,
            .eTag: self.entityTag,
            .cacheControl: "public, max-age=3600",
            .xContentTypeOptions: "nosniff",
        ]
        if EntityTag.matches(self.entityTag, request.headers[values: .ifNoneMatch]) {
            return HTTPAnswer(status: .notModified, headers: headers)
        }
        return HTTPAnswer(status: .ok, headers: headers, body: .bytes(self.body))
    }
}
