import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Finds out with real objects what a store honours: each condition is sent once where it must be refused.
///
/// It takes a dozen small requests, and removes what it made. What the credentials may not do counts as not honoured.
package struct S3CapabilityProbe: Sendable {
    private let client: S3Client
    private let sourceBucket: String
    private let bucket: String
    private let source: String
    private let copy: String

    /// - Parameter prefix: of the keys of its objects, in both buckets; without a trailing slash.
    package init(client: S3Client, sourceBucket: String, bucket: String, prefix: String) {
        self.client = client
        self.sourceBucket = sourceBucket
        self.bucket = bucket
        let name = "\(prefix)/.capabilities/\(UUID().uuidString.lowercased())"
        (self.source, self.copy) = (name + "/source", name + "/copy")
    }

    /// - Throws: ``S3Error`` when the store cannot be reached, or the first object not be put: then nothing is known.
    package func run() async throws -> S3Capabilities {
        let result: Result<S3Capabilities, any Error>
        do {
            result = .success(try await self.probe())
        } catch {
            result = .failure(error)
        }
        // In a task of its own, awaited: a cancelled probe cleans up, too. What that cannot remove is swept like any tmp object.
        await Task { await self.cleanUp() }.value
        return try result.get()
    }

    private static let otherETag = "\"00000000000000000000000000000000\""

    private func probe() async throws -> S3Capabilities {
        var capabilities = S3Capabilities()
        let put = try await self.client.putObject(bucket: self.sourceBucket, key: self.source, body: ByteBuffer(string: "s3file"))
        var request = S3CopyRequest(sourceBucket: self.sourceBucket, sourceKey: self.source, bucket: self.bucket, key: self.copy)

        request.sourceIfMatch = Self.otherETag
        capabilities.copySourceIfMatch = try await self.isRefused { [request] in _ = try await self.client.copyObject(request) }
        request.sourceIfMatch = nil
        let isCopied = try await !self.isForbidden { [request] in _ = try await self.client.copyObject(request) }
        guard isCopied else { return capabilities }
        request.ifNoneMatch = true
        capabilities.copyIfNoneMatch = try await self.isRefused { [request] in _ = try await self.client.copyObject(request) }
        request.ifNoneMatch = false
        if let versionID = put.versionID, versionID != "null" {
            _ = try await self.client.putObject(bucket: self.sourceBucket, key: self.source, body: ByteBuffer(string: "replaced"))
            var ofVersion = request
            ofVersion.sourceVersionID = versionID
            let copied = try await self.client.copyObject(ofVersion)
            capabilities.sourceVersions = S3ObjectHead.isSameETag(copied.etag, put.etag)
        }
        // A store that overwrote it just now may have lost it, too, so it is asked for what is there.
        let head = try? await self.client.headObject(bucket: self.bucket, key: self.copy, checksum: true)
        capabilities.checksums = head?.checksum != nil

        try await self.probeMultipart(request, &capabilities)

        capabilities.deleteIfMatch = try await self.isRefused {
            try await self.client.deleteObject(bucket: self.bucket, key: self.copy, ifMatch: Self.otherETag)
        }
        capabilities.batchDeleteIfMatch = try await self.isRefused {
            let object = S3ObjectIdentifier(key: self.source, ifMatch: Self.otherETag)
            if let failure = try await self.client.deleteObjects(bucket: self.sourceBucket, [object]).errors.first {
                throw failure.error
            }
        }
        return capabilities
    }

    private func probeMultipart(_ request: S3CopyRequest, _ capabilities: inout S3Capabilities) async throws {
        let uploadID: String
        do {
            uploadID = try await self.client.createMultipartUpload(bucket: self.bucket, key: self.copy)
        } catch let error as S3Error where !error.retryable {
            return
        }
        do {
            var fenced = request
            fenced.sourceIfMatch = Self.otherETag
            capabilities.partCopySourceIfMatch = try await self.isRefused { [fenced] in
                _ = try await self.client.uploadPartCopy(fenced, uploadID: uploadID, number: 1, range: nil)
            }
            let part = try await self.client.uploadPartCopy(request, uploadID: uploadID, number: 1, range: nil)
            capabilities.completeIfNoneMatch = try await self.isRefused {
                _ = try await self.client.completeMultipartUpload(
                    bucket: self.bucket,
                    key: self.copy,
                    uploadID: uploadID,
                    parts: [part],
                    ifNoneMatch: true
                )
            }
        } catch {
            let (client, bucket, key) = (self.client, self.bucket, self.copy)
            await Task { try? await client.abortMultipartUpload(bucket: bucket, key: key, uploadID: uploadID) }.value
            throw error
        }
        try await self.client.abortMultipartUpload(bucket: self.bucket, key: self.copy, uploadID: uploadID)
    }

    /// Whether the condition was honoured, which is here: whether it was refused for it.
    private func isRefused(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return false
        } catch let error as S3Error where error.code == .preconditionFailed || error.code == .notModified {
            return true
        } catch let error as S3Error where !error.retryable {
            return false
        }
    }

    private func isForbidden(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return false
        } catch let error as S3Error where !error.retryable {
            return true
        }
    }

    private func cleanUp() async {
        for (bucket, key) in [(self.sourceBucket, self.source), (self.bucket, self.copy)] {
            try? await self.client.deleteObject(bucket: bucket, key: key)
            guard let versions = try? await self.client.listObjectVersions(bucket: bucket, prefix: key).versions else { continue }
            for version in versions {
                try? await self.client.deleteObject(bucket: bucket, key: version.key, versionID: version.versionID)
            }
        }
    }
}
