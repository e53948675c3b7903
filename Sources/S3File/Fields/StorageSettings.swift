import Foundation

/// How a file shall be stored: what its object carries beside its bytes. Whatever is `nil` is left to the bucket.
///
/// ```swift
/// UploadField("report", uploadTo: "reports/%Y/", maximumSize: .gigabytes(1),
///             storage: StorageSettings(cacheControl: "private, max-age=3600", storageClass: "STANDARD_IA"))
/// ```
///
/// From SQL the same is said by `s3file.store_as()`, with a JSON object of these names.
public struct StorageSettings: Sendable, Hashable {
    /// How the store encrypts the object at rest.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>
    public enum Encryption: Sendable, Hashable {
        /// SSE-S3: under keys of the store.
        case s3
        /// SSE-KMS: under this key, or the account's own for S3.
        case kms(keyID: String?)
    }

    /// Sent by the store with the file.
    public var cacheControl: String?
    /// Instead of the one made from the file's name and type. An app that says `inline` for a type that runs code lets its users run code in
    /// the bucket's origin.
    public var contentDisposition: String?
    /// Such as `STANDARD_IA`. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>
    public var storageClass: String?
    /// How the store encrypts the object at rest.
    public var encryption: Encryption?
    /// A canned access control list. Buckets refuse most of them unless they were told to know lists: ask for none if you can.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
    public var acl: String?
    /// `x-amz-meta-` headers by the rest of their names: letters, digits and `-`.
    public var metadata: [String: String]
    /// At most ten.
    public var tags: [String: String]
    /// Types and extensions as HTML's `accept` lists them: the first bytes are looked at before the move. A form's files were looked at already.
    package var accept: [String]

    /// Settings of which each may be left to the bucket.
    public init(
        cacheControl: String? = nil,
        contentDisposition: String? = nil,
        storageClass: String? = nil,
        encryption: Encryption? = nil,
        acl: String? = nil,
        metadata: [String: String] = [:],
        tags: [String: String] = [:]
    ) {
        self.cacheControl = cacheControl
        self.contentDisposition = contentDisposition
        self.storageClass = storageClass
        self.encryption = encryption
        self.acl = acl
        self.metadata = metadata
        self.tags = tags
        self.accept = []
    }
}

extension StorageSettings: Codable {
    private enum CodingKeys: String, CodingKey {
        case cacheControl, contentDisposition, storageClass, encryption, kmsKeyID = "kmsKeyId", acl, metadata, tags, accept
    }

    /// Reads the JSON object of `s3file.store_as()`: `encryption` is `AES256`, or `aws:kms` with `kmsKeyId`.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            cacheControl: try values.decodeIfPresent(String.self, forKey: .cacheControl),
            contentDisposition: try values.decodeIfPresent(String.self, forKey: .contentDisposition),
            storageClass: try values.decodeIfPresent(String.self, forKey: .storageClass),
            acl: try values.decodeIfPresent(String.self, forKey: .acl),
            metadata: try values.decodeIfPresent([String: String].self, forKey: .metadata) ?? [:],
            tags: try values.decodeIfPresent([String: String].self, forKey: .tags) ?? [:]
        )
        switch try values.decodeIfPresent(String.self, forKey: .encryption) {
        case nil: break
        case "AES256": self.encryption = .s3
        case "aws:kms": self.encryption = .kms(keyID: try values.decodeIfPresent(String.self, forKey: .kmsKeyID))
        case .some:
            throw DecodingError.dataCorruptedError(forKey: .encryption, in: values, debugDescription: "AES256 or aws:kms")
        }
        self.accept = try values.decodeIfPresent([String].self, forKey: .accept) ?? []
    }

    /// Writes the JSON object of `s3file.store_as()`, without what is left to the bucket.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encodeIfPresent(self.cacheControl, forKey: .cacheControl)
        try values.encodeIfPresent(self.contentDisposition, forKey: .contentDisposition)
        try values.encodeIfPresent(self.storageClass, forKey: .storageClass)
        switch self.encryption {
        case nil: break
        case .s3: try values.encode("AES256", forKey: .encryption)
        case .kms(let keyID):
            try values.encode("aws:kms", forKey: .encryption)
            try values.encodeIfPresent(keyID, forKey: .kmsKeyID)
        }
        try values.encodeIfPresent(self.acl, forKey: .acl)
        if !self.metadata.isEmpty { try values.encode(self.metadata, forKey: .metadata) }
        if !self.tags.isEmpty { try values.encode(self.tags, forKey: .tags) }
        if !self.accept.isEmpty { try values.encode(self.accept, forKey: .accept) }
    }
}
