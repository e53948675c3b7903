/// Misbehaviour that tests of clients ask for in Swift. Empty, the server behaves. ``FaultSwitch`` has what is switched over HTTP.
package struct Faults: Sendable {
    /// What a request is, before anything of it is done.
    package struct Operation: Sendable {
        package var method: String
        package var bucket: String?
        package var key: String?
        /// Names of the query's parameters.
        package var parameters: Set<String>
        /// Whether the request names a copy source.
        package var isCopy: Bool
        /// Whether a write depends on what is there.
        package var isConditional = false

        /// S3's name of the operation, `CopyObject`.
        package var name: String {
            switch (self.method, self.bucket, self.key) {
            case ("OPTIONS", _, _): "Preflight"
            case (_, nil, _): "ListBuckets"
            case (_, _, nil): self.bucketName
            default: self.objectName
            }
        }

        private var bucketName: String {
            switch self.method {
            case "GET" where self.parameters.contains("versions"): "ListObjectVersions"
            case "GET" where self.parameters.contains("uploads"): "ListMultipartUploads"
            case "GET" where self.parameters.contains("list-type"): "ListObjectsV2"
            case "POST" where self.parameters.contains("delete"): "DeleteObjects"
            case "POST": "PostObject"
            case "HEAD": "HeadBucket"
            default:
                if let setting = ["cors", "lifecycle", "location", "versioning"].first(where: { self.parameters.contains($0) }) {
                    "\(self.method.titled)Bucket\(setting == "cors" ? "CORS" : setting.titled)"
                } else {
                    switch self.method {
                    case "GET": "ListObjects"
                    case "PUT": "CreateBucket"
                    default: "DeleteBucket"
                    }
                }
            }
        }

        private var objectName: String {
            if self.parameters.contains("tagging") {
                return "\(self.method.titled)ObjectTagging"
            }
            let isOfUpload = self.parameters.contains("uploadId")
            switch self.method {
            case "GET" where isOfUpload: return "ListParts"
            case "GET" where self.parameters.contains("attributes"): return "GetObjectAttributes"
            case "PUT" where isOfUpload: return self.isCopy ? "UploadPartCopy" : "UploadPart"
            case "PUT" where self.isCopy: return "CopyObject"
            case "DELETE" where isOfUpload: return "AbortMultipartUpload"
            case "POST": return isOfUpload ? "CompleteMultipartUpload" : "CreateMultipartUpload"
            default: return "\(self.method.titled)Object"
            }
        }
    }

    /// How long to wait before the request is looked at.
    package var latency: @Sendable (Operation) -> Duration
    /// Whether the connection is closed instead of the reply being sent, after the request was done.
    package var losesReply: @Sendable (Operation) -> Bool

    package init(
        latency: @escaping @Sendable (Operation) -> Duration = { _ in .zero },
        losesReply: @escaping @Sendable (Operation) -> Bool = { _ in false }
    ) {
        self.latency = latency
        self.losesReply = losesReply
    }
}

extension String {
    /// `GET` as `Get`.
    fileprivate var titled: String { self.prefix(1).uppercased() + self.dropFirst().lowercased() }
}
