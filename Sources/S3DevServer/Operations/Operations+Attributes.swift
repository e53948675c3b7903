import Foundation
import HTTPTypes
import S3

extension Operations {
    private static let storageClasses: Set<String> = [
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
        "GLACIER_IR",
    ]

    /// What is stored with an object, from the headers of a request.
    func attributes(_ request: S3Request) throws(S3Error) -> ObjectAttributes {
        var attributes = try self.attributes(of: request.headers)
        attributes.tags = try Self.tags(request)
        return attributes
    }

    static func tags(_ request: S3Request) throws(S3Error) -> [ObjectTag]? {
        guard let header = request.header("x-amz-tagging"), !header.isEmpty else {
            return nil
        }
        return try ObjectTags.parse(query: header)
    }

    /// What is stored with an object besides its tags, from headers or form fields with lower-case names.
    func attributes(of fields: [(name: String, value: String)]) throws(S3Error) -> ObjectAttributes {
        func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        try Self.refuse(fields)
        var attributes = ObjectAttributes()
        attributes.contentType = value("content-type")
        attributes.contentDisposition = value("content-disposition")
        attributes.contentLanguage = value("content-language")
        attributes.cacheControl = value("cache-control")
        attributes.expires = value("expires")
        // aws-chunked says how the request travels, not what the object is.
        let encodings = value("content-encoding")?.split(separator: ",").map { $0.filter { $0 != " " } }.filter {
            $0 != "aws-chunked"
        }
        attributes.contentEncoding = encodings.flatMap { $0.isEmpty ? nil : $0.joined(separator: ",") }
        attributes.websiteRedirectLocation = value("x-amz-website-redirect-location")
        if let storageClass = value("x-amz-storage-class") {
            guard Self.storageClasses.contains(storageClass) else {
                throw S3Error(
                    S3Error.Code("InvalidStorageClass"),
                    status: 400,
                    message: "The storage class you specified is not valid"
                )
            }
            attributes.storageClass = storageClass == "STANDARD" ? nil : storageClass
        }
        attributes.encryption = try self.encryption(value)
        attributes.metadata = try Self.metadata(of: fields)
        return attributes
    }

    private static func metadata(of fields: [(name: String, value: String)]) throws(S3Error) -> [String: String] {
        var metadata: [String: String] = [:]
        var size = 0
        for field in fields where field.name.hasPrefix("x-amz-meta-") {
            let name = String(field.name.dropFirst("x-amz-meta-".count))
            size += name.utf8.count + field.value.utf8.count
            metadata[name] = metadata[name].map { "\($0),\(field.value)" } ?? field.value
        }
        guard size <= 2048 else {
            throw S3Error(
                S3Error.Code("MetadataTooLarge"),
                status: 400,
                message: "Your metadata headers exceed the maximum allowed metadata size"
            )
        }
        return metadata
    }

    /// What an answer of 200 would be a lie about.
    private static func refuse(_ fields: [(name: String, value: String)]) throws(S3Error) {
        for (name, value) in fields {
            switch name {
            // Buckets made since 2023 have no ACLs
            // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html).
            case "acl" where value != "bucket-owner-full-control", "x-amz-acl" where value != "bucket-owner-full-control",
                _ where name.hasPrefix("x-amz-grant-"):
                throw S3Error(
                    S3Error.Code("AccessControlListNotSupported"),
                    status: 400,
                    message: "The bucket does not allow ACLs"
                )
            case _ where name.hasPrefix("x-amz-server-side-encryption-customer-"):
                throw .notImplemented("encryption with a customer's key")
            case _ where name.hasPrefix("x-amz-object-lock-"):
                throw .invalidRequest("Bucket is missing Object Lock Configuration")
            case "x-amz-write-offset-bytes":
                throw .notImplemented("appending to an object")
            default:
                continue
            }
        }
    }

    private func encryption(_ value: (String) -> String?) throws(S3Error) -> ObjectEncryption? {
        let keyID = value("x-amz-server-side-encryption-aws-kms-key-id")
        let context = value("x-amz-server-side-encryption-context")
        guard let algorithm = value("x-amz-server-side-encryption") else {
            guard keyID == nil, context == nil else {
                throw Self.needsKMS
            }
            return nil
        }
        switch algorithm {
        case "AES256":
            guard keyID == nil, context == nil else {
                throw Self.needsKMS
            }
            return ObjectEncryption(algorithm: algorithm)
        case "aws:kms", "aws:kms:dsse":
            if let context, Data(base64Encoded: context) == nil {
                throw .invalidArgument("The encryption context is not Base64.")
            }
            return ObjectEncryption(
                algorithm: algorithm,
                keyID: keyID ?? "arn:aws:kms:\(self.configuration.region):000000000000:alias/aws/s3",
                context: context,
                bucketKey: value("x-amz-server-side-encryption-bucket-key-enabled")?.lowercased() == "true" ? true : nil
            )
        default:
            throw .invalidArgument("The encryption method specified is not supported")
        }
    }

    private static var needsKMS: S3Error {
        .invalidArgument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
        )
    }

    /// The ETag of an object that was written in one piece.
    static func etag(md5: String, _ attributes: ObjectAttributes) -> String {
        attributes.encryption?.hidesMD5 == true ? self.randomETag() : md5
    }

    static func randomETag() -> String {
        SigV4.hexadecimal((0..<16).map { _ in UInt8.random(in: .min ... .max) })
    }
}

extension HTTPFields {
    /// How the object is encrypted: by S3's own key unless the client asked for more.
    mutating func set(_ encryption: ObjectEncryption?) {
        self.set("x-amz-server-side-encryption", encryption?.algorithm ?? "AES256")
        self.set("x-amz-server-side-encryption-aws-kms-key-id", encryption?.keyID)
        if encryption?.bucketKey == true {
            self.set("x-amz-server-side-encryption-bucket-key-enabled", "true")
        }
    }

    mutating func setChecksums(of record: ObjectRecord) {
        guard !record.checksums.isEmpty else {
            return
        }
        for (name, value) in record.checksums {
            self.set(name, value)
        }
        self.set("x-amz-checksum-type", (record.checksumType ?? .fullObject).rawValue)
    }
}
