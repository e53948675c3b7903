import NIOCore
import NIOHTTP1

/// What is set for a bucket: read as it is, and written back whole, so that what others set and we do not know stays.
extension S3Client {
    private static let documentLimit = 1 << 20

    /// Who an access control list gives something to that anybody could be.
    private static let everybody = [
        "http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    ]

    /// The `CORSRule`s; none is an empty list.
    package func bucketCORS(_ bucket: String) async throws -> [XMLElement] {
        try await self.settings("GetBucketCors", bucket, "cors", root: "CORSConfiguration", absent: "NoSuchCORSConfiguration")?
            .all("CORSRule") ?? []
    }

    package func putBucketCORS(_ bucket: String, rules: [XMLElement]) async throws {
        try await self.putSettings("PutBucketCors", bucket, "cors", root: "CORSConfiguration", rules)
    }

    /// The lifecycle's `Rule`s; none is an empty list.
    package func bucketLifecycle(_ bucket: String) async throws -> [XMLElement] {
        try await self.settings(
            "GetBucketLifecycleConfiguration",
            bucket,
            "lifecycle",
            root: "LifecycleConfiguration",
            absent: "NoSuchLifecycleConfiguration"
        )?.all("Rule") ?? []
    }

    package func putBucketLifecycle(_ bucket: String, rules: [XMLElement]) async throws {
        try await self.putSettings("PutBucketLifecycleConfiguration", bucket, "lifecycle", root: "LifecycleConfiguration", rules)
    }

    /// The policy's JSON; `nil` when there is none.
    package func bucketPolicy(_ bucket: String) async throws -> String? {
        var request = self.bucketRequest("GetBucketPolicy", .GET, bucket)
        request.query = [("policy", "")]
        request.responseLimit = Self.documentLimit
        do {
            return try await self.send(request) { response throws(S3Error) in String(buffer: response.body) }
        } catch let error as S3Error where error.code.rawValue == "NoSuchBucketPolicy" {
            return nil
        }
    }

    package func putBucketPolicy(_ bucket: String, json: String) async throws {
        var request = self.bucketRequest("PutBucketPolicy", .PUT, bucket)
        request.query = [("policy", "")]
        request.setDocument(json, type: "application/json")
        try await self.send(request) { _ throws(S3Error) in }
    }

    /// Whether the store calls the bucket's policy public.
    package func isBucketPolicyPublic(_ bucket: String) async throws -> Bool {
        try await self.settings(
            "GetBucketPolicyStatus",
            bucket,
            "policyStatus",
            root: "PolicyStatus",
            absent: "NoSuchBucketPolicy"
        )?[
            "IsPublic"
        ]?.text.lowercased() == "true"
    }

    /// What the bucket's access control list gives to anybody, such as `READ`.
    package func publicGrants(_ bucket: String) async throws -> [String] {
        let list = try await self.settings("GetBucketAcl", bucket, "acl", root: "AccessControlPolicy", absent: "")
        return (list?["AccessControlList"]?.all("Grant") ?? []).filter { grant in
            grant["Grantee"]?["URI"].map { Self.everybody.contains($0.text) } ?? false
        }.compactMap { $0["Permission"]?.text }
    }

    /// How objects are encrypted that do not say how, such as `AES256`; `nil` for not.
    package func bucketEncryption(_ bucket: String) async throws -> String? {
        try await self.settings(
            "GetBucketEncryption",
            bucket,
            "encryption",
            root: "ServerSideEncryptionConfiguration",
            absent: "ServerSideEncryptionConfigurationNotFoundError"
        )?["Rule"]?["ApplyServerSideEncryptionByDefault"]?["SSEAlgorithm"]?.text
    }

    /// The bucket's region.
    package func bucketLocation(_ bucket: String) async throws -> String {
        let text =
            try await self.settings("GetBucketLocation", bucket, "location", root: "LocationConstraint", absent: "")?.text ?? ""
        // As AWS's oldest regions are called.
        return text.isEmpty ? "us-east-1" : text == "EU" ? "eu-west-1" : text
    }

    private func settings(
        _ operation: S3Operation,
        _ bucket: String,
        _ subresource: String,
        root: String,
        absent: String
    ) async throws -> XMLElement? {
        var request = self.bucketRequest(operation, .GET, bucket)
        request.query = [(subresource, "")]
        request.responseLimit = Self.documentLimit
        let sent = request
        do {
            return try await self.send(request) { response throws(S3Error) in
                // Some stores answer an empty body for what was never set.
                guard response.body.readableBytes > 0 else { return nil }
                let document = try? XMLReader.read(response.body.readableBytesView)
                // A store that does not know the question answers another one: the bucket's list.
                guard let document, document.name == root else {
                    throw S3Error(
                        .notImplemented,
                        status: response.status,
                        message: "\(sent.subject): the store does not know it"
                    )
                }
                return document
            }
        } catch let error as S3Error where error.code.rawValue == absent {
            return nil
        }
    }

    private func putSettings(
        _ operation: S3Operation,
        _ bucket: String,
        _ subresource: String,
        root: String,
        _ rules: [XMLElement]
    ) async throws {
        var writer = XMLWriter()
        writer.element(root, attributes: [("xmlns", Self.namespace)]) { writer in
            for rule in rules { writer.element(rule) }
        }
        var request = self.bucketRequest(operation, .PUT, bucket)
        request.query = [(subresource, "")]
        request.setXML(writer.text)
        try await self.send(request) { _ throws(S3Error) in }
    }
}
