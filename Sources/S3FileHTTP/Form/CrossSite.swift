import HTTPTypes

extension HTTPRequest {
    /// Whether a page of another site may have sent it, as far as browsers tell.
    ///
    /// By `Sec-Fetch-Site`, or where an old browser, or a page without TLS, does not have it, by `Origin`. A request with neither comes from no
    /// browser's form. <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
    var isCrossSite: Bool {
        if let site = HTTPField.Name("Sec-Fetch-Site").flatMap({ self.headerFields[$0] }) {
            return site.lowercased() == "cross-site"
        }
        guard let origin = self.headerFields[.origin] else { return false }
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")] where origin.lowercased().hasPrefix(scheme) {
            guard let authority = self.authority else { return true }
            let host = origin.dropFirst(scheme.count).lowercased()
            return Self.without(port, host) != Self.without(port, authority.lowercased())
        }
        // "null", or no page of the web.
        return true
    }

    private static func without(_ port: String, _ authority: String) -> Substring {
        authority.hasSuffix(port) ? authority.dropLast(port.count) : authority[...]
    }
}

extension Problem {
    static func crossSite(field: String, filename: String) -> Problem {
        Problem(
            status: .forbidden,
            code: "cross_site",
            detail:
                "The file was not taken, because the form was sent from another site. Open the form on this site and send it again.",
            field: field,
            filename: filename
        )
    }
}
