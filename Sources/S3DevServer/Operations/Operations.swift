import Hummingbird
import S3

/// What every operation works with.
struct Operations: Sendable {
    let configuration: S3DevServerConfiguration
    let disk: Disk

    init(configuration: S3DevServerConfiguration, disk: Disk) {
        self.configuration = configuration
        self.disk = disk
    }

    func credentials(_ accessKeyID: String) -> S3Credentials? {
        guard accessKeyID == self.configuration.accessKeyID else {
            return nil
        }
        return S3Credentials(accessKeyID: accessKeyID, secretAccessKey: self.configuration.secretAccessKey)
    }

    /// Subresources of S3 that are not here. A request for one must not be taken for a plain one.
    private static let missing: Set<String> = [
        "accelerate", "acl", "analytics", "encryption", "intelligent-tiering", "inventory", "legal-hold", "logging",
        "metrics", "notification", "object-lock", "ownershipControls", "publicAccessBlock", "rename",
        "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session", "torrent", "website",
    ]

    func perform(_ request: S3Request) async throws -> Response {
        if request.method == "OPTIONS" {
            return try self.preflight(request)
        }
        if request.method == "POST", let bucket = request.bucket, request.key == nil, !request.has("delete") {
            return try await self.postObject(request, bucket: bucket)
        }
        let verified = try SigV4.verify(
            method: request.method,
            rawPath: request.rawPath,
            query: request.query,
            headers: request.headers,
            region: self.configuration.region,
            now: self.configuration.now(),
            credentials: self.credentials
        )
        guard let verified else {
            guard request.parameter("Signature") == nil, request.header("authorization") == nil else {
                throw S3Error.invalidRequest(
                    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
                )
            }
            throw S3Error(.accessDenied, status: 403, message: "Access Denied")
        }
        if let name = request.query.first(where: { Self.missing.contains($0.name) })?.name {
            throw S3Error.notImplemented("?\(name)")
        }
        guard request.bucket != nil else {
            guard request.method == "GET" else {
                throw S3Error.methodNotAllowed
            }
            return try await self.listBuckets()
        }
        return request.key == nil
            ? try await self.performOnBucket(request, verified) : try await self.performOnObject(request, verified)
    }

    private func performOnBucket(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        for name in ["cors", "lifecycle"] where request.has(name) {
            return try await self.document(name, request, verified)
        }
        if request.has("policy") {
            return try await self.bucketPolicy(request, verified)
        }
        if request.has("tagging") {
            throw S3Error.notImplemented("tags of a bucket")
        }
        switch request.method {
        case "GET" where request.has("policyStatus"): return try await self.bucketPolicyStatus(request)
        case "GET" where request.has("location"): return try await self.bucketLocation(request)
        case "GET" where request.has("versioning"): return try await self.bucketVersioning(request)
        case "GET" where request.has("uploads"): return try await self.listUploads(request)
        case "GET" where request.has("versions"): return try await self.listVersions(request)
        case "GET": return try await self.listObjects(request)
        case "HEAD": return try await self.headBucket(request)
        case "PUT" where request.has("versioning"): return try await self.setVersioning(request, verified)
        case "PUT": return try await self.createBucket(request, verified)
        case "DELETE": return try await self.deleteBucket(request)
        case "POST": return try await self.deleteObjects(request, verified)
        default: throw S3Error.methodNotAllowed
        }
    }

    private func performOnObject(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let isCopy = request.header("x-amz-copy-source") != nil
        if request.has("tagging") {
            return try await self.objectTags(request, verified)
        }
        switch request.method {
        case "GET" where request.has("attributes"): return try await self.getObjectAttributes(request)
        case "PUT" where request.has("versionId"), "POST" where request.has("versionId"):
            throw S3Error.invalidArgument("This operation does not accept a version-id.")
        case "GET" where request.has("uploadId"): return try await self.listParts(request)
        case "GET", "HEAD": return try await self.getObject(request)
        case "PUT" where request.has("uploadId") && isCopy: return try await self.uploadPartCopy(request)
        case "PUT" where request.has("uploadId"): return try await self.uploadPart(request, verified)
        case "PUT" where isCopy: return try await self.copyObject(request)
        case "PUT": return try await self.putObject(request, verified)
        case "DELETE" where request.has("uploadId"): return try await self.abortUpload(request)
        case "DELETE": return try await self.deleteObject(request)
        case "POST" where request.has("uploads"): return try await self.createUpload(request)
        case "POST" where request.has("uploadId"): return try await self.completeUpload(request, verified)
        default: throw S3Error.methodNotAllowed
        }
    }
}
