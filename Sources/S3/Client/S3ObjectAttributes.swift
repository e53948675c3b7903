/// What an object carries besides its bytes. A copy with these takes nothing over from its source.
///
/// ([AWS: PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html))
package struct S3ObjectAttributes: Sendable, Hashable {
    package var contentType: String?
    package var contentDisposition: String?
    package var cacheControl: String?
    /// Sent as `x-amz-meta-` headers; at most 2 KB in all, says S3.
    package var metadata: [String: String]
    /// At most ten, says S3.
    package var tags: [String: String]
    /// Such as `STANDARD_IA`; nil leaves it to the store, which takes STANDARD, also for the copy of an object of another class.
    package var storageClass: String?
    /// Nil leaves it to the bucket.
    package var encryption: S3Encryption?
    /// A canned one, such as `bucket-owner-full-control`. Buckets made since 2023 refuse most: send none unless somebody asked.
    package var acl: String?

    package init(
        contentType: String? = nil,
        contentDisposition: String? = nil,
        cacheControl: String? = nil,
        metadata: [String: String] = [:],
        tags: [String: String] = [:],
        storageClass: String? = nil,
        encryption: S3Encryption? = nil,
        acl: String? = nil
    ) {
        self.contentType = contentType
        self.contentDisposition = contentDisposition
        self.cacheControl = cacheControl
        self.metadata = metadata
        self.tags = tags
        self.storageClass = storageClass
        self.encryption = encryption
        self.acl = acl
    }
}

/// How a store encrypts an object at rest.
///
/// ([AWS: Protecting data with server-side encryption](https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html))
package enum S3Encryption: Sendable, Hashable {
    /// SSE-S3: under keys of the store.
    case s3
    /// SSE-KMS: under a key of the key service, or its key for S3 when none is named. The ETag is then no MD5 of the bytes.
    case kms(keyID: String?)
}

extension S3Request {
    mutating func add(_ attributes: S3ObjectAttributes) {
        self.add("content-type", attributes.contentType)
        self.add("content-disposition", attributes.contentDisposition)
        self.add("cache-control", attributes.cacheControl)
        // In a fixed order, for whoever compares two captures.
        for (name, value) in attributes.metadata.sorted(by: { $0.key < $1.key }) {
            self.add("x-amz-meta-\(name.lowercased())", value)
        }
        if !attributes.tags.isEmpty {
            let tags = attributes.tags.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
            self.add("x-amz-tagging", URIEncoding.query(tags))
        }
        self.add("x-amz-storage-class", attributes.storageClass)
        switch attributes.encryption {
        case nil: break
        case .s3: self.add("x-amz-server-side-encryption", "AES256")
        case .kms(let keyID):
            self.add("x-amz-server-side-encryption", "aws:kms")
            self.add("x-amz-server-side-encryption-aws-kms-key-id", keyID)
        }
        self.add("x-amz-acl", attributes.acl)
    }
}
