/// An endpoint taken apart, which puts buckets and keys into URLs.
struct S3Endpoint: Sendable, Hashable {
    /// A place to send a request to.
    struct Target: Sendable, Hashable {
        var scheme: String
        /// The `Host` header: without the port where that is the scheme's own.
        var authority: String
        /// Percent-encoded, exactly as sent and signed.
        var path: String

        func url(query: [(name: String, value: String)] = []) -> String {
            let origin = "\(self.scheme)://\(self.authority)\(self.path)"
            return query.isEmpty ? origin : "\(origin)?\(URIEncoding.query(query))"
        }
    }

    let scheme: String
    let authority: String
    let addressing: S3Configuration.Addressing

    /// `http://host:port`, for error messages.
    var description: String { "\(self.scheme)://\(self.authority)" }
    var isEncrypted: Bool { self.scheme == "https" }

    init(_ url: String?, configuration: S3Configuration) throws(S3Error) {
        try self.init(url, region: configuration.region, addressing: configuration.addressing)
    }

    /// - Parameters:
    ///   - url: nil for AWS in the region.
    ///   - service: as in AWS's host names.
    init(
        _ url: String?,
        service: String = "s3",
        region: String,
        addressing: S3Configuration.Addressing
    ) throws(S3Error) {
        guard !region.isEmpty, region.utf8.allSatisfy(Self.isNameByte) else {
            throw S3Error(
                .configuration,
                status: 0,
                message: "The region '\(region)' is not valid: set AWS_REGION, as in us-east-1."
            )
        }
        self.addressing = addressing
        guard let url else {
            self.scheme = "https"
            self.authority = "\(service).\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
            return
        }
        let rest: Substring
        if url.lowercased().hasPrefix("https://") {
            self.scheme = "https"
            rest = url.dropFirst("https://".count)
        } else if url.lowercased().hasPrefix("http://") {
            self.scheme = "http"
            rest = url.dropFirst("http://".count)
        } else {
            throw Self.invalid(url, "it must start with http:// or https://")
        }
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        guard !authority.contains("/"), !authority.contains("?"), !authority.contains("#") else {
            throw Self.invalid(url, "it may not have a path or a query")
        }
        guard !authority.contains("@") else { throw Self.invalid("…", "it may not hold a user name or password") }
        let host: Substring
        let port: Substring?
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[...end]
            guard host.dropFirst().dropLast().utf8.allSatisfy({ Self.isHexadecimalByte($0) || $0 == UInt8(ascii: ":") }) else {
                throw Self.invalid(url, "its IPv6 address is malformed")
            }
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw Self.invalid(url, "its port is malformed") }
            port = after.isEmpty ? nil : after.dropFirst()
        } else {
            let colon = authority.firstIndex(of: ":")
            host = authority[..<(colon ?? authority.endIndex)]
            port = colon.map { authority[authority.index(after: $0)...] }
            guard !host.isEmpty, host.utf8.allSatisfy(Self.isNameByte) else { throw Self.invalid(url, "its host is malformed") }
        }
        if let port {
            guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw Self.invalid(url, "its port is not a number up to 65535")
            }
            let isDefault = number == (self.scheme == "https" ? 443 : 80)
            self.authority = host.lowercased() + (isDefault ? "" : ":\(number)")
        } else {
            self.authority = host.lowercased()
        }
    }

    func target(bucket: String, key: String? = nil) throws(S3Error) -> Target {
        // An empty key would make a request about the whole bucket out of one about an object.
        guard
            (3...255).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.isNameByte), !bucket.hasPrefix("."),
            !bucket.contains("..")
        else {
            throw S3Error(
                .configuration,
                status: 0,
                message: "The bucket name '\(bucket)' is not valid: it has 3 to 63 lower-case letters, digits, hyphens and dots."
            )
        }
        if let key {
            guard (1...1024).contains(key.utf8.count) else {
                throw S3Error(
                    .invalidArgument,
                    status: 0,
                    message: "An object's key has 1 to 1,024 bytes, not \(key.utf8.count)."
                )
            }
        }
        let keyPath = key.map { "/" + URIEncoding.encode($0, keepSlash: true) }
        // A dot in the bucket's name would not match the store's wildcard certificate.
        if self.addressing == .virtualHost, !(self.isEncrypted && bucket.contains(".")) {
            return Target(scheme: self.scheme, authority: "\(bucket).\(self.authority)", path: keyPath ?? "/")
        }
        return Target(scheme: self.scheme, authority: self.authority, path: "/\(bucket)" + (keyPath ?? ""))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            return true
        default:
            return false
        }
    }

    private static func isHexadecimalByte(_ byte: UInt8) -> Bool {
        Character(Unicode.Scalar(byte)).isHexDigit
    }

    private static func invalid(_ url: String, _ reason: String) -> S3Error {
        S3Error(
            .configuration,
            status: 0,
            message: "The endpoint '\(url)' cannot be used: \(reason). It should look like http://127.0.0.1:9000."
        )
    }
}
