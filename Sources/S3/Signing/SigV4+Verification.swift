#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// A server's half of the signature, with the errors that AWS answers.
extension SigV4 {
    /// How far a client's clock may be off.
    package static let maximumSkew: TimeInterval = 15 * 60

    /// What a request, or a form, proved.
    package struct Verified: Sendable {
        package var accessKeyID: String
        /// What the client said the body's SHA-256 is, to be compared with what arrives; ``SigV4/unsignedPayload`` for a
        /// presigned URL, and the names that start with `STREAMING-` for chunked bodies. Empty for a form.
        package var payloadHash: String
        package var presigned: Bool
    }

    /// What a request says of its own signature.
    private struct Claim {
        var accessKeyID: String
        var scope: Scope
        var timestamp: String
        var date: Date
        var signedHeaders: [String]
        var signature: String
        var sessionToken: String?
    }

    /// Verifies a request signed in its `Authorization` header or its query.
    ///
    /// - Parameters:
    ///   - rawPath: as received, percent-encoded in whatever way the client liked.
    ///   - query: decoded pairs (``URIEncoding/parseQuery(_:)``), with the signature's own.
    ///   - credentials: finds the credentials of an access key.
    /// - Returns: `nil` for an anonymous request, one that does not claim to be signed.
    package static func verify(
        method: String,
        rawPath: String,
        query: [(name: String, value: String)],
        headers: [(name: String, value: String)],
        region: String,
        now: Date,
        credentials: (String) -> S3Credentials?
    ) throws(S3Error) -> Verified? {
        guard let decoded = URIEncoding.decode(rawPath) else {
            throw S3Error(Code.invalidURI, status: 400, message: "Couldn't parse the specified URI.")
        }
        // AWS signs its own encoding of the path, so `+` and `%2B` or `%2f` and `/` in a client's URL verify alike.
        let path = URIEncoding.encode(decoded, keepSlash: true)
        let authorization = headers.first { $0.name.lowercased() == "authorization" }?.value
        if let authorization {
            if query.contains(where: { $0.name == "X-Amz-Signature" }) {
                throw S3Error(.invalidArgument, status: 400, message: "Only one auth mechanism allowed.")
            }
            let claim = try self.headerClaim(authorization, headers)
            guard let payloadHash = headers.first(where: { $0.name.lowercased() == "x-amz-content-sha256" })?.value else {
                throw S3Error(
                    .invalidRequest,
                    status: 400,
                    message: "Missing required header for this request: x-amz-content-sha256"
                )
            }
            let request = Request(method: method, path: path, query: query, headers: headers, payloadHash: payloadHash)
            try self.check(claim, request, region: region, credentials: credentials)
            guard abs(now.timeIntervalSince(claim.date)) <= self.maximumSkew else {
                throw S3Error(
                    .requestTimeTooSkewed,
                    status: 403,
                    message: "The difference between the request time and the current time is too large."
                )
            }
            return Verified(accessKeyID: claim.accessKeyID, payloadHash: payloadHash, presigned: false)
        }
        guard query.contains(where: { $0.name == "X-Amz-Signature" || $0.name == "X-Amz-Algorithm" }) else { return nil }
        let (claim, expires) = try self.queryClaim(query)
        let request = Request(
            method: method,
            path: path,
            query: query.filter { $0.name != "X-Amz-Signature" },
            headers: headers,
            payloadHash: headers.first { $0.name.lowercased() == "x-amz-content-sha256" }?.value ?? self.unsignedPayload
        )
        try self.check(claim, request, region: region, credentials: credentials)
        guard now.timeIntervalSince(claim.date) >= -self.maximumSkew else {
            throw S3Error(.accessDenied, status: 403, message: "Request is not yet valid")
        }
        guard now.timeIntervalSince(claim.date) <= TimeInterval(expires) else {
            throw S3Error(.accessDenied, status: 403, message: "Request has expired")
        }
        return Verified(accessKeyID: claim.accessKeyID, payloadHash: request.payloadHash, presigned: true)
    }

    /// Verifies the signature of a POST form over its policy. What the policy says, and when it ends, is checked apart.
    ///
    /// - Parameter fields: the form's fields in any order; names are compared without case, as AWS does.
    package static func verifyPost(
        fields: [(name: String, value: String)],
        region: String,
        credentials: (String) -> S3Credentials?
    ) throws(S3Error) -> Verified {
        func field(_ name: String) throws(S3Error) -> String {
            guard let value = fields.first(where: { $0.name.lowercased() == name })?.value else {
                throw S3Error(
                    .invalidArgument,
                    status: 400,
                    message: "Bucket POST must contain a field named '\(name)'."
                )
            }
            return value
        }
        let policy = try field("policy")
        guard try field("x-amz-algorithm") == self.algorithm else {
            throw S3Error(.invalidArgument, status: 400, message: "Only \(self.algorithm) is supported as x-amz-algorithm.")
        }
        let credential = try field("x-amz-credential")
        let timestamp = try field("x-amz-date")
        guard
            let (accessKeyID, scope) = self.parseCredential(credential), let date = Timestamp.parseSignature(timestamp),
            timestamp.hasPrefix(scope.date)
        else {
            throw S3Error(.invalidArgument, status: 400, message: "The x-amz-credential or x-amz-date field is malformed.")
        }
        let claim = Claim(
            accessKeyID: accessKeyID,
            scope: scope,
            timestamp: timestamp,
            date: date,
            signedHeaders: [],
            signature: try field("x-amz-signature"),
            sessionToken: fields.first { $0.name.lowercased() == "x-amz-security-token" }?.value
        )
        try self.check(claim, stringToSign: policy, region: region, malformed: .invalidArgument, credentials: credentials)
        return Verified(accessKeyID: accessKeyID, payloadHash: "", presigned: true)
    }

    /// Equal text, in time that does not depend on where they differ.
    package static func constantTimeEquals(_ one: String, _ other: String) -> Bool {
        let one = Array(one.utf8)
        let other = Array(other.utf8)
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(one, other) { difference |= left ^ right }
        return difference == 0
    }

    private static func check(
        _ claim: Claim,
        _ request: Request,
        region: String,
        credentials: (String) -> S3Credentials?
    ) throws(S3Error) {
        let malformed: S3Error.Code =
            request.query.contains { $0.name == "X-Amz-Algorithm" }
            ? .authorizationQueryParametersError : .authorizationHeaderMalformed
        // An unsigned host or x-amz- header could be exchanged on the way.
        guard claim.signedHeaders.contains("host") else {
            throw S3Error(malformed, status: 400, message: "The host header must be signed.")
        }
        let unsigned = request.headers.map { $0.name.lowercased() }
            .filter { $0.hasPrefix("x-amz-") && !claim.signedHeaders.contains($0) }
            .filter { $0 != "x-amz-content-sha256" }
        guard unsigned.isEmpty else {
            throw S3Error(
                .accessDenied,
                status: 403,
                message: "There were headers present in the request which were not signed: \(unsigned.joined(separator: ", "))"
            )
        }
        let stringToSign = self.stringToSign(
            canonicalRequest: self.canonicalRequest(request, signedHeaders: claim.signedHeaders),
            timestamp: claim.timestamp,
            scope: claim.scope
        )
        try self.check(claim, stringToSign: stringToSign, region: region, malformed: malformed, credentials: credentials)
    }

    private static func check(
        _ claim: Claim,
        stringToSign: String,
        region: String,
        malformed: S3Error.Code,
        credentials: (String) -> S3Credentials?
    ) throws(S3Error) {
        guard claim.scope.region == region, claim.scope.service == "s3" else {
            throw S3Error(
                malformed,
                status: 400,
                message: "The credential scope \(claim.scope) is wrong; expecting region '\(region)' and service 's3'.",
                region: region
            )
        }
        guard let known = credentials(claim.accessKeyID) else {
            throw S3Error(
                .invalidAccessKeyID,
                status: 403,
                message: "The AWS Access Key Id you provided does not exist in our records."
            )
        }
        guard known.sessionToken == claim.sessionToken else {
            throw S3Error(Code.invalidToken, status: 400, message: "The provided token is malformed or otherwise invalid.")
        }
        let expected = self.signature(of: stringToSign, key: self.key(known, claim.scope, nil))
        guard self.constantTimeEquals(expected, claim.signature) else {
            throw S3Error(
                .signatureDoesNotMatch,
                status: 403,
                message: "The request signature we calculated does not match the signature you provided. "
                    + "Check your key and signing method."
            )
        }
    }

    private static func headerClaim(
        _ authorization: String,
        _ headers: [(name: String, value: String)]
    ) throws(S3Error) -> Claim {
        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
        guard authorization.hasPrefix("\(self.algorithm) ") else {
            throw S3Error(.invalidRequest, status: 400, message: "Please use \(self.algorithm).")
        }
        var parts: [Substring: Substring] = [:]
        for part in authorization.dropFirst(self.algorithm.count + 1).split(separator: ",") {
            let halves = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, parts.updateValue(halves[1], forKey: halves[0]) == nil else {
                throw S3Error(.authorizationHeaderMalformed, status: 400, message: "The authorization header is malformed.")
            }
        }
        guard
            let credential = parts["Credential"], let (accessKeyID, scope) = self.parseCredential(credential),
            let signedHeaders = parts["SignedHeaders"], let signature = parts["Signature"]
        else {
            throw S3Error(
                .authorizationHeaderMalformed,
                status: 400,
                message: "The authorization header is malformed; it needs Credential, SignedHeaders and Signature."
            )
        }
        guard
            let date = header("x-amz-date").flatMap({ Timestamp.parseSignature($0) })
                ?? header("date").flatMap({ Timestamp.parseHTTP($0) })
        else {
            throw S3Error(
                .accessDenied,
                status: 403,
                message: "AWS authentication requires a valid Date or x-amz-date header"
            )
        }
        let timestamp = Timestamp.signature(date)
        guard timestamp.hasPrefix(scope.date) else {
            throw S3Error(
                .authorizationHeaderMalformed,
                status: 400,
                message: "The date in the credential scope is not the request's."
            )
        }
        return Claim(
            accessKeyID: accessKeyID,
            scope: scope,
            timestamp: timestamp,
            date: date,
            signedHeaders: signedHeaders.split(separator: ";").map { String($0) },
            signature: String(signature),
            sessionToken: header("x-amz-security-token")
        )
    }

    private static func queryClaim(
        _ query: [(name: String, value: String)]
    ) throws(S3Error) -> (claim: Claim, expires: Int) {
        func parameter(_ name: String) throws(S3Error) -> String {
            guard let value = query.first(where: { $0.name == name })?.value else {
                throw S3Error(
                    .authorizationQueryParametersError,
                    status: 400,
                    message: "Query-string authentication version 4 requires the \(name) parameter."
                )
            }
            return value
        }
        guard try parameter("X-Amz-Algorithm") == self.algorithm else {
            throw S3Error(
                .authorizationQueryParametersError,
                status: 400,
                message: "X-Amz-Algorithm only supports \(self.algorithm)."
            )
        }
        let timestamp = try parameter("X-Amz-Date")
        let credential = try parameter("X-Amz-Credential")
        let expiry = try parameter("X-Amz-Expires")
        let signedHeaders = try parameter("X-Amz-SignedHeaders")
        guard let (accessKeyID, scope) = self.parseCredential(credential) else {
            throw S3Error(
                .authorizationQueryParametersError,
                status: 400,
                message: "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed."
            )
        }
        guard let date = Timestamp.parseSignature(timestamp), timestamp.hasPrefix(scope.date) else {
            throw S3Error(
                .authorizationQueryParametersError,
                status: 400,
                message: "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\", on the credential's date."
            )
        }
        guard let expires = Int(expiry), (1...604_800).contains(expires) else {
            throw S3Error(
                .authorizationQueryParametersError,
                status: 400,
                message: "X-Amz-Expires must be between 1 and 604800 seconds."
            )
        }
        let claim = Claim(
            accessKeyID: accessKeyID,
            scope: scope,
            timestamp: timestamp,
            date: date,
            signedHeaders: signedHeaders.split(separator: ";").map { String($0) },
            signature: try parameter("X-Amz-Signature"),
            sessionToken: query.first { $0.name == "X-Amz-Security-Token" }?.value
        )
        return (claim, expires)
    }

    /// `AKIA…/20130524/us-east-1/s3/aws4_request`
    private static func parseCredential(_ text: some StringProtocol) -> (accessKeyID: String, scope: Scope)? {
        let parts = String(text).split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        // Some stores' access keys have slashes; the scope is always the last four parts.
        guard parts.count >= 5, parts[parts.count - 1] == "aws4_request" else { return nil }
        let accessKeyID = parts[..<(parts.count - 4)].joined(separator: "/")
        guard !accessKeyID.isEmpty else { return nil }
        return (accessKeyID, Scope(date: parts[parts.count - 4], region: parts[parts.count - 3], service: parts[parts.count - 2]))
    }

    private enum Code {
        static let invalidURI = S3Error.Code("InvalidURI")
        static let invalidToken = S3Error.Code("InvalidToken")
    }
}
