import Foundation

/// The least rights that web processes and workers need in a bucket, as a policy: of the bucket, or of a user or role.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html>
struct BucketPolicy: Sendable, Equatable {
    struct Statement: Sendable, Equatable {
        var sid: String
        var principals: [String]
        var actions: [String]
        var resource: String
    }

    /// By which our statements are known among others'.
    static let sidPrefix = "S3File"

    var statements: [Statement]

    /// - Parameters:
    ///   - isVersioned: the bucket keeps versions.
    ///   - isForIdentity: for a user's or role's own policy, which names no principal.
    ///   - principals: the users and roles, as ARNs.
    static func rights(of bucket: String, isVersioned: Bool, isForIdentity: Bool, principals: [String]) -> BucketPolicy {
        let principals = isForIdentity ? [] : principals
        var onObjects = [
            "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
            "s3:PutObjectTagging",
        ]
        var onBucket = ["s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        if isVersioned {
            onObjects += ["s3:DeleteObjectVersion", "s3:GetObjectVersion"]
            onBucket += ["s3:ListBucketVersions"]
        }
        return BucketPolicy(statements: [
            Statement(
                sid: "\(Self.sidPrefix)Objects",
                principals: principals,
                actions: onObjects.sorted(),
                resource: "arn:aws:s3:::\(bucket)/*"
            ),
            Statement(
                sid: "\(Self.sidPrefix)Bucket",
                principals: principals,
                actions: onBucket.sorted(),
                resource: "arn:aws:s3:::\(bucket)"
            ),
        ])
    }

    var json: String { Self.text(["Version": "2012-10-17", "Statement": self.statements.map(\.object)]) }

    /// Whoever's policy this is, with our statements in place of those that were ours before; the others stay as they are.
    ///
    /// - Returns: nil when it says all of that already.
    /// - Throws: ``CommandError`` when it is no policy.
    func merged(into policy: String?) throws -> (before: String, after: String)? {
        guard let policy else { return ("", self.json) }
        guard var document = try? JSONSerialization.jsonObject(with: Data(policy.utf8)) as? [String: Any] else {
            throw CommandError(.failed, "The bucket's policy is not JSON, so nothing is changed in it")
        }
        let statements = Self.statements(document)
        let isOurs = { (statement: [String: Any]) in (statement["Sid"] as? String)?.hasPrefix(Self.sidPrefix) ?? false }
        let ours = statements.filter(isOurs).map(Statement.init)
        let before = Self.text(document)
        if ours.count == self.statements.count, self.statements.allSatisfy({ wanted in ours.contains { $0 == wanted } }) {
            return nil
        }
        document["Statement"] = statements.filter { !isOurs($0) } + self.statements.map(\.object)
        return (before, Self.text(document))
    }

    /// Whether a policy allows something to everybody, without any condition.
    static func isForEverybody(_ policy: String) -> Bool {
        let document = try? JSONSerialization.jsonObject(with: Data(policy.utf8)) as? [String: Any]
        return Self.statements(document ?? [:]).contains { statement in
            let principal = statement["Principal"]
            let named = (principal as? [String: Any])?["AWS"]
            let isEverybody =
                principal as? String == "*" || named as? String == "*" || (named as? [String])?.contains("*") ?? false
            return statement["Effect"] as? String == "Allow" && isEverybody && statement["Condition"] == nil
        }
    }

    /// One statement may stand without a list.
    private static func statements(_ document: [String: Any]) -> [[String: Any]] {
        document["Statement"] as? [[String: Any]] ?? (document["Statement"] as? [String: Any]).map { [$0] } ?? []
    }

    private static func text(_ object: [String: Any]) -> String {
        let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = (try? JSONSerialization.data(withJSONObject: object, options: options)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}

extension BucketPolicy.Statement {
    fileprivate var object: [String: Any] {
        var object: [String: Any] = [
            "Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": self.resource,
        ]
        if !self.principals.isEmpty { object["Principal"] = ["AWS": self.principals] }
        return object
    }

    /// A list of one may be written without its brackets, and in any order.
    fileprivate init(_ object: [String: Any]) {
        func words(_ value: Any?) -> [String] { (value as? [String] ?? (value as? String).map { [$0] } ?? []).sorted() }
        let isPlain = object["Effect"] as? String == "Allow" && object["Condition"] == nil
        self.init(
            sid: object["Sid"] as? String ?? "",
            principals: words((object["Principal"] as? [String: Any])?["AWS"]),
            actions: isPlain ? words(object["Action"]) : [],
            resource: words(object["Resource"]).joined(separator: " ")
        )
    }
}
