package import Crypto

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// AWS Signature Version 4 as values and functions: the client signs with it, the development server verifies with it.
///
/// ([AWS: Authenticating Requests](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html))
package enum SigV4 {
    package static let algorithm = "AWS4-HMAC-SHA256"
    /// Stands for the payload's hash where the payload is not signed.
    package static let unsignedPayload = "UNSIGNED-PAYLOAD"
    package static let emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    /// A request as it is signed.
    package struct Request: Sendable {
        package var method: String
        /// Percent-encoded as sent, from the first slash to before the question mark.
        package var path: String
        /// Decoded pairs, in any order. Without `X-Amz-Signature`.
        package var query: [(name: String, value: String)]
        /// All of the request's headers; which are signed is said apart.
        package var headers: [(name: String, value: String)]
        /// Lower-case hexadecimal SHA-256 of the body, or ``SigV4/unsignedPayload``.
        package var payloadHash: String

        package init(
            method: String,
            path: String,
            query: [(name: String, value: String)] = [],
            headers: [(name: String, value: String)],
            payloadHash: String
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.payloadHash = payloadHash
        }
    }

    /// What a signing key is good for: `20130524/us-east-1/s3/aws4_request`.
    package struct Scope: Sendable, Hashable, CustomStringConvertible {
        /// `20130524`
        package var date: String
        package var region: String
        package var service: String

        package init(date: String, region: String, service: String = "s3") {
            self.date = date
            self.region = region
            self.service = service
        }

        package init(date: Date, region: String, service: String = "s3") {
            self.init(timestamp: Timestamp.signature(date), region: region, service: service)
        }

        init(timestamp: String, region: String, service: String = "s3") {
            self.init(date: String(timestamp.prefix(8)), region: region, service: service)
        }

        package var description: String { "\(self.date)/\(self.region)/\(self.service)/aws4_request" }
    }

    /// The key that one secret gives for one day, region and service.
    ///
    /// - Parameter date: the scope's date, `20130524`.
    package static func signingKey(secret: String, date: String, region: String, service: String = "s3") -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in [date, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        return key
    }

    /// - Parameter signedHeaders: lower-case names; they are sorted here.
    package static func canonicalRequest(_ request: Request, signedHeaders: [String]) -> String {
        let headers = CanonicalHeaders(request.headers, only: signedHeaders)
        return String(decoding: CanonicalRequest(request, headers: headers).bytes, as: UTF8.self)
    }

    /// - Parameter timestamp: as in `x-amz-date`, `20130524T000000Z`.
    package static func stringToSign(canonicalRequest: String, timestamp: String, scope: Scope) -> String {
        self.stringToSign(hash: SHA256.hash(data: Array(canonicalRequest.utf8)), timestamp: timestamp, scope: scope)
    }

    static func stringToSign(hash: SHA256Digest, timestamp: String, scope: Scope) -> String {
        "\(self.algorithm)\n\(timestamp)\n\(scope)\n\(self.hexadecimal(hash))"
    }

    /// Lower-case hexadecimal. For a POST policy the string to sign is the Base64 text of the policy.
    package static func signature(of stringToSign: String, key: SymmetricKey) -> String {
        self.hexadecimal(HMAC<SHA256>.authenticationCode(for: Array(stringToSign.utf8), using: key))
    }

    /// Lower-case hexadecimal SHA-256, as `x-amz-content-sha256` wants it.
    package static func payloadHash(_ bytes: some Sequence<UInt8>) -> String {
        var hash = SHA256()
        let contiguous: Void? = bytes.withContiguousStorageIfAvailable { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        if contiguous == nil { hash.update(data: Array(bytes)) }
        return self.hexadecimal(hash.finalize())
    }

    package static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10 }
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 0x0F))
        }
        return String(decoding: text, as: UTF8.self)
    }
}
