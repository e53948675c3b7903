/// Host and port of a URL, as they stand in it.
package struct HostAndPort: CustomStringConvertible, Sendable {
    package var host: String
    package var port: Int

    package init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        guard let colon = place.lastIndex(of: ":"), let port = Int(place[place.index(after: colon)...]) else { return nil }
        self.host = String(place[..<colon])
        self.port = port
    }

    package var description: String { "\(self.host):\(self.port)" }
}
