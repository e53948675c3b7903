import Crypto

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

extension SigV4 {
    /// The longest life S3 gives a presigned URL.
    package static let maximumExpiry: Duration = .seconds(604_800)

    /// The headers that sign a request, to be added to it: `x-amz-date`, `x-amz-content-sha256`, for temporary credentials
    /// `x-amz-security-token`, and `authorization`.
    ///
    /// Every header in `request` is signed, so it must hold `host` and may not hold what a proxy changes.
    package static func authorizationHeaders(
        for request: Request,
        credentials: S3Credentials,
        region: String,
        service: String = "s3",
        now: Date,
        keys: SigningKeyCache? = nil
    ) -> [(name: String, value: String)] {
        let timestamp = Timestamp.signature(now)
        let scope = Scope(timestamp: timestamp, region: region, service: service)
        var added: [(name: String, value: String)] = [
            ("x-amz-date", timestamp),
            ("x-amz-content-sha256", request.payloadHash),
        ]
        if let token = credentials.sessionToken { added.append(("x-amz-security-token", token)) }
        let canonical = CanonicalRequest(request, headers: CanonicalHeaders(request.headers + added))
        let stringToSign = self.stringToSign(hash: SHA256.hash(data: canonical.bytes), timestamp: timestamp, scope: scope)
        let signature = self.signature(of: stringToSign, key: self.key(credentials, scope, keys))
        added.append(
            (
                "authorization",
                "\(self.algorithm) Credential=\(credentials.accessKeyID)/\(scope),"
                    + "SignedHeaders=\(canonical.signedHeaders),Signature=\(signature)"
            )
        )
        return added
    }

    /// The whole query of a presigned URL: `query`, the `X-Amz-…` parameters and the signature, in the order to send.
    ///
    /// - Parameters:
    ///   - headers: `host`, and those that the sender of the URL must repeat.
    ///   - expires: at most seven days; the credentials' own end is the caller's to respect.
    package static func presignedQuery(
        method: String,
        path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)],
        credentials: S3Credentials,
        region: String,
        expires: Duration,
        now: Date,
        keys: SigningKeyCache? = nil
    ) -> [(name: String, value: String)] {
        let timestamp = Timestamp.signature(now)
        let scope = Scope(timestamp: timestamp, region: region)
        let headers = CanonicalHeaders(headers)
        var query = query
        query.append(("X-Amz-Algorithm", self.algorithm))
        query.append(("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope)"))
        query.append(("X-Amz-Date", timestamp))
        query.append(("X-Amz-Expires", String(min(max(expires, .seconds(1)), self.maximumExpiry).components.seconds)))
        if let token = credentials.sessionToken { query.append(("X-Amz-Security-Token", token)) }
        query.append(("X-Amz-SignedHeaders", headers.names))
        let canonical = CanonicalRequest(
            Request(method: method, path: path, query: query, headers: [], payloadHash: self.unsignedPayload),
            headers: headers
        )
        let stringToSign = self.stringToSign(hash: SHA256.hash(data: canonical.bytes), timestamp: timestamp, scope: scope)
        query.append(("X-Amz-Signature", self.signature(of: stringToSign, key: self.key(credentials, scope, keys))))
        return query
    }

    static func key(_ credentials: S3Credentials, _ scope: Scope, _ keys: SigningKeyCache?) -> SymmetricKey {
        keys?.key(secret: credentials.secretAccessKey, scope: scope)
            ?? self.signingKey(
                secret: credentials.secretAccessKey,
                date: scope.date,
                region: scope.region,
                service: scope.service
            )
    }
}
