#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// What a browser may upload with one signed form.
///
/// ([AWS: POST Policy](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html))
package struct PostPolicy: Sendable {
    /// What a field of the form must hold.
    package enum Rule: Sendable, Hashable {
        case exact(String)
        /// An empty prefix allows any value, as long as the field is there.
        case startsWith(String)
    }

    package var bucket: String
    /// With a prefix, the form's `key` ends in `${filename}`, which S3 replaces by the name of the file. A prefix that should be
    /// a folder ends with a slash.
    package var key: Rule
    package var contentType: Rule
    /// In bytes, the file alone.
    package var contentLength: ClosedRange<Int64>
    /// The policy ends no later than the credentials it is signed with.
    package var expiration: Date
    /// The value that the form must send as `success_action_status`.
    package var successStatus: Int
    /// Further fields that the form must hold, such as `x-amz-meta-…`; those with an exact value are given to the form.
    package var fields: [(name: String, rule: Rule)]

    package init(
        bucket: String,
        key: Rule,
        contentType: Rule = .startsWith(""),
        contentLength: ClosedRange<Int64>,
        expiration: Date,
        successStatus: Int = 201,
        fields: [(name: String, rule: Rule)] = []
    ) {
        self.bucket = bucket
        self.key = key
        self.contentType = contentType
        self.contentLength = contentLength
        self.expiration = expiration
        self.successStatus = successStatus
        self.fields = fields
    }

    /// The policy document, as signed with these credentials now.
    package func json(credentials: S3Credentials, region: String, now: Date) -> String {
        self.json(credentials, Self.signatureFields(credentials, region, now))
    }

    private func json(_ credentials: S3Credentials, _ signatureFields: [(name: String, value: String)]) -> String {
        // Every page that is drawn signs one, so it is written into one string.
        var json = ""
        json.reserveCapacity(1_024)
        json += "{\"expiration\":"
        Self.quote(Timestamp.iso8601(min(self.expiration, credentials.expiration ?? self.expiration)), to: &json)
        json += ",\"conditions\":["
        Self.add("bucket", .exact(self.bucket), to: &json)
        json += ","
        Self.add("key", self.key, to: &json)
        json += ","
        Self.add("success_action_status", .exact(String(self.successStatus)), to: &json)
        json += ","
        Self.add("Content-Type", self.contentType, to: &json)
        json += ",[\"content-length-range\",\(self.contentLength.lowerBound),\(self.contentLength.upperBound)]"
        for field in self.fields {
            json += ","
            Self.add(field.name, field.rule, to: &json)
        }
        for field in signatureFields {
            json += ","
            Self.add(field.name, .exact(field.value), to: &json)
        }
        json += "]}"
        return json
    }

    /// The fields of the form, in order, besides `success_action_status`, `Content-Type` and `file`, which the sender adds.
    package func fields(
        credentials: S3Credentials,
        region: String,
        now: Date,
        keys: SigningKeyCache? = nil
    ) -> [(name: String, value: String)] {
        let signatureFields = Self.signatureFields(credentials, region, now)
        let policy = Data(self.json(credentials, signatureFields).utf8).base64EncodedString()
        let key =
            switch self.key {
            case .exact(let key): key
            case .startsWith(let prefix): "\(prefix)${filename}"
            }
        var fields: [(name: String, value: String)] = [("key", key)]
        for case (let name, .exact(let value)) in self.fields { fields.append((name, value)) }
        fields += signatureFields
        fields.append(("policy", policy))
        let signingKey = SigV4.key(credentials, SigV4.Scope(date: now, region: region), keys)
        fields.append(("x-amz-signature", SigV4.signature(of: policy, key: signingKey)))
        return fields
    }

    private static func signatureFields(
        _ credentials: S3Credentials,
        _ region: String,
        _ now: Date
    ) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = [
            ("x-amz-algorithm", SigV4.algorithm),
            ("x-amz-credential", "\(credentials.accessKeyID)/\(SigV4.Scope(date: now, region: region))"),
            ("x-amz-date", Timestamp.signature(now)),
        ]
        if let token = credentials.sessionToken { fields.append(("x-amz-security-token", token)) }
        return fields
    }

    /// One condition.
    private static func add(_ name: String, _ rule: Rule, to json: inout String) {
        switch rule {
        case .exact(let value):
            json += "{"
            self.quote(name, to: &json)
            json += ":"
            self.quote(value, to: &json)
            json += "}"
        case .startsWith(let prefix):
            json += "[\"starts-with\","
            self.quote("$" + name, to: &json)
            json += ","
            self.quote(prefix, to: &json)
            json += "]"
        }
    }

    /// JSON text with as few escapes as JSON allows: Ceph refuses surrogate pairs written as `\u`, and raw UTF-8 suits all.
    private static func quote(_ text: String, to json: inout String) {
        json += "\""
        defer { json += "\"" }
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        guard !isPlain else { return json += text }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\n": json += "\\n"
            case "\r": json += "\\r"
            case "\t": json += "\\t"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: json.unicodeScalars.append(scalar)
            }
        }
    }
}
