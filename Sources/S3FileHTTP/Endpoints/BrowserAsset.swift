import Crypto
import HTTPTypes
import NIOCore

/// A file for browsers that is embedded in the binary, with the headers it is served with.
struct BrowserAsset: Sendable {
    let body: ByteBuffer
    let contentType: String
    let entityTag: String
    /// Which address names these very bytes, as `?v=`; nil when none does.
    private let version: String?

    /// One module, of parts that share a scope: in this order.
    static let script = BrowserAsset(
        script: Self.scriptText.replacing("@version@", with: Self.version),
        version: Self.version
    )
    // What s3file.js loads when a page needs it.
    static let retryScript = BrowserAsset(script: Self.retryText, version: Self.version)
    static let optionsScript = BrowserAsset(script: Self.optionsText, version: Self.version)
    static let multipartScript = BrowserAsset(script: Self.multipartText, version: Self.version)
    static let statusScript = BrowserAsset(script: Self.statusText, version: Self.version)
    static let stylesheet = BrowserAsset(
        text: [
            PackageResources.palette_css, PackageResources.files_css, PackageResources.progress_css,
            PackageResources.journey_css, PackageResources.refusal_css, PackageResources.preferences_css,
        ].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n"),
        contentType: "text/css; charset=utf-8",
        version: nil
    )

    // What the dashboard's pages name, each by the version of both.
    static let dashboardScript = BrowserAsset(script: Self.dashboardText, version: Self.dashboardVersion)
    static let dashboardStylesheet = BrowserAsset(
        text: Self.dashboardStyle,
        contentType: "text/css; charset=utf-8",
        version: Self.dashboardVersion
    )
    static let dashboardVersion = Self.digest(of: Self.dashboardText + Self.dashboardStyle, bytes: 8)

    private static let dashboardText = Self.compact(PackageResources.dashboard_js)
    private static let dashboardStyle = [PackageResources.palette_css, PackageResources.page_css, PackageResources.tables_css]
        .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")

    /// Of all scripts: they are made for each other, so the one asks for the others by it.
    static let version = Self.digest(
        of: Self.scriptText + Self.retryText + Self.optionsText + Self.multipartText + Self.statusText,
        bytes: 8
    )

    private static let scriptText = Self.compact(
        PackageResources.texts_js,
        PackageResources.rows_js,
        PackageResources.files_js,
        PackageResources.upload_js,
        PackageResources.form_js
    )
    private static let retryText = Self.compact(PackageResources.s3file_retry_js)
    private static let optionsText = Self.compact(PackageResources.s3file_options_js)
    private static let multipartText = Self.compact(PackageResources.s3file_multipart_js)
    private static let statusText = Self.compact(PackageResources.s3file_status_js)

    private init(text: String, contentType: String, version: String?) {
        self.body = ByteBuffer(string: text)
        self.contentType = contentType
        self.entityTag = "\"\(Self.digest(of: text, bytes: 16))\""
        self.version = version
    }

    private init(script: String, version: String) {
        self.init(text: script, contentType: "text/javascript; charset=utf-8", version: version)
    }

    private static func compact(_ parts: [UInt8]...) -> String {
        parts.map { CompactScript.text(of: String(decoding: $0, as: UTF8.self)) }.joined()
    }

    private static func digest(of text: String, bytes: Int) -> String {
        SHA256.hash(data: Array(text.utf8)).prefix(bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The file, or 304 when the browser has it. An hour without asking, so that a new release is soon seen everywhere; with its version in
    /// the address for ever. Of another version, as while a release is being rolled out, this is what there is, but not to be kept.
    func answer(to request: EndpointRequest) -> HTTPAnswer {
        var life = "public, max-age=3600"
        if let version = self.version, let asked = request.queryValue("v") {
            life = asked == version ? "public, max-age=31536000, immutable" : "no-cache"
        }
        let headers: HTTPFields = [
            .contentType: self.contentType,
            .eTag: self.entityTag,
            .cacheControl: life,
            .xContentTypeOptions: "nosniff",
        ]
        if EntityTag.matches(self.entityTag, request.headers[values: .ifNoneMatch]) {
            return HTTPAnswer(status: .notModified, headers: headers)
        }
        return HTTPAnswer(status: .ok, headers: headers, body: .bytes(self.body))
    }
}
