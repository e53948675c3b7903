package import S3

/// In what the stores differ: what the tests expect of each, and what the README tells.
package struct StoreTraits: Sendable {
    /// What ``S3CapabilityProbe`` finds in a bucket without versions.
    package var capabilities = S3Capabilities()
    /// What proves that a moved file is the verified one, as `s3file.upload_status` has it; the second, of one that was copied in parts.
    package var guarantee = "source_condition"
    package var guaranteeInParts = "source_condition"
    /// An ETag comes in quotes everywhere, as S3 has it; else not in the answer to a copy.
    package var quotesCopiedETags = true
    /// The answer to CompleteMultipartUpload has the ETag.
    package var tellsCompletedETag = true
    /// A PUT whose `x-amz-checksum-sha256` is not that of its bytes is refused.
    package var verifiesChecksums = true
    /// A request whose signature was made with another secret is refused; presigned URLs and forms are everywhere.
    package var verifiesRequestSignatures = true
    /// Completing an upload that was aborted is `NoSuchUpload`; Ceph says for ever that it is just being completed.
    package var tellsAbortedUploads = true
    /// `Content-Disposition` and `Cache-Control` in a POST form become the object's.
    package var keepsFormHeaders = true
    /// A form with a wrong signature is `SignatureDoesNotMatch`; else `AccessDenied`.
    package var tellsWrongFormSignature = true
    /// The tags that CopyObject is asked for become the copy's.
    package var keepsCopiedTags = true
    /// Those that CreateMultipartUpload is asked for become the object's.
    package var keepsTagsInParts = true
}

extension KnownStore {
    package var traits: StoreTraits {
        var traits = StoreTraits()
        switch self {
        case .oldCeph:
            traits.guarantee = "etag"
            traits.guaranteeInParts = "head"
            traits.quotesCopiedETags = false
            traits.tellsCompletedETag = false
            traits.tellsAbortedUploads = false
            traits.verifiesChecksums = false
            traits.keepsFormHeaders = false
            traits.tellsWrongFormSignature = false
            traits.keepsCopiedTags = false
            traits.keepsTagsInParts = false
        case .newCeph:
            traits.capabilities.copySourceIfMatch = true
            traits.capabilities.completeIfNoneMatch = true
            traits.capabilities.deleteIfMatch = true
            traits.capabilities.batchDeleteIfMatch = true
            traits.guaranteeInParts = "head"
            traits.tellsAbortedUploads = false
            traits.verifiesChecksums = false
            traits.keepsFormHeaders = false
            traits.tellsWrongFormSignature = false
        case .ministack:
            traits.capabilities.copySourceIfMatch = true
            traits.capabilities.partCopySourceIfMatch = true
            traits.capabilities.completeIfNoneMatch = true
            traits.capabilities.deleteIfMatch = true
            traits.capabilities.batchDeleteIfMatch = true
            traits.verifiesRequestSignatures = false
            traits.keepsTagsInParts = false
        case .devServer:
            traits.capabilities.copySourceIfMatch = true
            traits.capabilities.partCopySourceIfMatch = true
            traits.capabilities.copyIfNoneMatch = true
            traits.capabilities.completeIfNoneMatch = true
            traits.capabilities.deleteIfMatch = true
            traits.capabilities.batchDeleteIfMatch = true
            traits.capabilities.checksums = true
        }
        return traits
    }
}

extension StoreTraits {
    /// The rows of the README's table, in its words.
    private static let lines: [(words: String, holds: @Sendable (StoreTraits) -> Bool)] = [
        ("CopyObject refuses a source that changed (`x-amz-copy-source-if-match`)", { $0.capabilities.copySourceIfMatch }),
        ("UploadPartCopy does, too", { $0.capabilities.partCopySourceIfMatch }),
        ("CopyObject overwrites nothing (`If-None-Match: *`)", { $0.capabilities.copyIfNoneMatch }),
        ("CompleteMultipartUpload neither", { $0.capabilities.completeIfNoneMatch }),
        ("DeleteObject deletes only what was seen (`If-Match`)", { $0.capabilities.deleteIfMatch }),
        ("DeleteObjects does, too (`ETag`)", { $0.capabilities.batchDeleteIfMatch }),
        ("A copy keeps a CRC-64/NVME, and tells it", { $0.capabilities.checksums }),
        ("A copy gets the tags that the app said", { $0.keepsCopiedTags }),
        ("and one that was copied in parts, too", { $0.keepsTagsInParts }),
        ("The answer to CompleteMultipartUpload has an ETag", { $0.tellsCompletedETag }),
        ("Completing an aborted upload is `NoSuchUpload`", { $0.tellsAbortedUploads }),
        ("The answer to CopyObject has its ETag in quotes", { $0.quotesCopiedETags }),
        ("A PUT with a wrong SHA-256 is refused", { $0.verifiesChecksums }),
        ("A request signed with another secret is refused", { $0.verifiesRequestSignatures }),
        ("`Content-Disposition` and `Cache-Control` in a form are kept", { $0.keepsFormHeaders }),
        ("A form with a wrong signature is told from one without rights", { $0.tellsWrongFormSignature }),
    ]

    /// The README's table.
    package static var table: String {
        let stores = KnownStore.allCases
        var lines = ["| | " + stores.map(\.rawValue).joined(separator: " | ") + " |"]
        lines.append("|---|" + stores.map { _ in ":-:|" }.joined())
        func add(_ words: String, _ value: (StoreTraits) -> String) {
            lines.append("| \(words) | " + stores.map { value($0.traits) }.joined(separator: " | ") + " |")
        }
        for line in self.lines { add(line.words) { line.holds($0) ? "yes" : "no" } }
        add("So a stored file is proved to be the verified one by (`guarantee`)") { "`\($0.guarantee)`" }
        add("and one that was copied in parts by") { "`\($0.guaranteeInParts)`" }
        return lines.joined(separator: "\n")
    }
}
