import Crypto
import HTTPTypes
import NIOCore

/// A file for browsers that is embedded in the binary, with the headers it is served with.
struct BrowserAsset: Sendable {
    let body: ByteBuffer
    let contentType: String
    let entityTag: String

    /// One module, of parts that share a scope: in this order.
    static let script = BrowserAsset(
        script: PackageResources.texts_js,
        PackageResources.rows_js,
        PackageResources.files_js,
        PackageResources.upload_js,
        PackageResources.form_js
    )
    // What s3file.js loads when a page needs it.
    static let retryScript = BrowserAsset(script: PackageResources.s3file_retry_js)
    static let optionsScript = BrowserAsset(script: PackageResources.s3file_options_js)
    static let multipartScript = BrowserAsset(script: PackageResources.s3file_multipart_js)
    static let statusScript = BrowserAsset(script: PackageResources.s3file_status_js)
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

    private init(script parts: [UInt8]...) {
        self.init(
            text: parts.map { CompactScript.text(of: String(decoding: $0, as: UTF8.self)) }.joined(),
            contentType: "text/javascript; charset=utf-8"
        )
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
