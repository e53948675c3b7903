import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Finds out with real objects what a store honours: each condition is sent where it must be refused, and where it must not.
///
/// It takes some twenty small requests, and removes what it made. What the credentials may not do counts as not honoured.
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
        guard try await self.isTaken({ [request] in _ = try await self.client.copyObject(request) }) else { return capabilities }
        let head = try await self.client.headObject(bucket: self.bucket, key: self.copy, checksum: true)
        capabilities.checksums = head.checksum != nil

        capabilities.copySourceIfMatch = try await self.isHonoured(
            true: { [request] in try await self.copy(request, sourceIfMatch: put.etag) },
            false: { [request] in try await self.copy(request, sourceIfMatch: Self.otherETag) }
        )
        request.ifNoneMatch = true
        capabilities.copyIfNoneMatch = try await self.isHonoured(
            true: { [request] in
                var fresh = request
                fresh.key += "-fresh"
                _ = try await self.client.copyObject(fresh)
            },
            false: { [request] in _ = try await self.client.copyObject(request) }
        )
        request.ifNoneMatch = false
        try await self.probeMultipart(request, put, &capabilities)
        if let versionID = put.versionID, versionID != "null" {
            try await self.probeVersions(request, versionID, put.etag, &capabilities)
        }
        capabilities.deleteIfMatch = try await self.isHonoured(
            true: { try await self.client.deleteObject(bucket: self.bucket, key: self.copy + "-fresh", ifMatch: put.etag) },
            false: { try await self.client.deleteObject(bucket: self.bucket, key: self.copy, ifMatch: Self.otherETag) }
        )
        capabilities.batchDeleteIfMatch = try await self.isHonoured(
            true: nil,
            false: {
                let object = S3ObjectIdentifier(key: self.source, ifMatch: Self.otherETag)
                if let failure = try await self.client.deleteObjects(bucket: self.sourceBucket, [object]).errors.first {
                    throw failure.error
                }
            }
        )
        return capabilities
    }

    private func copy(_ request: S3CopyRequest, sourceIfMatch: String) async throws {
        var request = request
        request.sourceIfMatch = sourceIfMatch
        _ = try await self.client.copyObject(request)
    }

    private func probeMultipart(
        _ request: S3CopyRequest,
        _ put: S3PutResult,
        _ capabilities: inout S3Capabilities
    ) async throws {
        func part(_ uploadID: String, sourceIfMatch: String?) async throws -> S3Part {
            var request = request
            request.sourceIfMatch = sourceIfMatch
            return try await self.client.uploadPartCopy(request, uploadID: uploadID, number: 1, range: nil)
        }
        func complete(_ uploadID: String, key: String, part: S3Part) async throws {
            _ = try await self.client.completeMultipartUpload(
                bucket: self.bucket,
                key: key,
                uploadID: uploadID,
                parts: [part],
                ifNoneMatch: true
            )
        }
        do {
            try await self.withUpload(self.copy) { uploadID in
                capabilities.partCopySourceIfMatch = try await self.isHonoured(
                    true: { _ = try await part(uploadID, sourceIfMatch: put.etag) },
                    false: { _ = try await part(uploadID, sourceIfMatch: Self.otherETag) }
                )
                let copied = try await part(uploadID, sourceIfMatch: nil)
                // Where there is an object already it must be refused, and where there is none it must not.
                capabilities.completeIfNoneMatch = try await self.isHonoured(
                    true: nil,
                    false: { try await complete(uploadID, key: self.copy, part: copied) }
                )
            }
            guard capabilities.completeIfNoneMatch else { return }
            var fresh = request
            fresh.key = self.copy + "-parts"
            try await self.withUpload(fresh.key) { [fresh] uploadID in
                let copied = try await self.client.uploadPartCopy(fresh, uploadID: uploadID, number: 1, range: nil)
                capabilities.completeIfNoneMatch = try await self.isTaken {
                    try await complete(uploadID, key: fresh.key, part: copied)
                }
            }
        } catch let error as S3Error where !error.retryable {
            // Not allowed, or not there: then it is not relied on.
            (capabilities.partCopySourceIfMatch, capabilities.completeIfNoneMatch) = (false, false)
        }
    }

    /// The older of two versions must be what is copied, whole and as a part, when it is asked for.
    private func probeVersions(
        _ request: S3CopyRequest,
        _ versionID: String,
        _ etag: String,
        _ capabilities: inout S3Capabilities
    ) async throws {
        _ = try await self.client.putObject(bucket: self.sourceBucket, key: self.source, body: ByteBuffer(string: "replaced"))
        var request = request
        request.sourceVersionID = versionID
        do {
            let whole = try await self.client.copyObject(request)
            try await self.withUpload(self.copy) { [request] uploadID in
                let part = try await self.client.uploadPartCopy(request, uploadID: uploadID, number: 1, range: nil)
                capabilities.sourceVersions =
                    S3ObjectHead.isSameETag(whole.etag, etag) && S3ObjectHead.isSameETag(part.etag, etag)
            }
        } catch let error as S3Error where !error.retryable {
            return
        }
    }

    private func withUpload(_ key: String, _ body: (String) async throws -> Void) async throws {
        let uploadID = try await self.client.createMultipartUpload(bucket: self.bucket, key: key)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(uploadID))
        } catch {
            result = .failure(error)
        }
        let (client, bucket) = (self.client, self.bucket)
        await Task { try? await client.abortMultipartUpload(bucket: bucket, key: key, uploadID: uploadID) }.value
        try result.get()
    }

    /// Whether a condition is honoured: it must let through what fulfils it, and refuse what does not, for that very reason.
    private func isHonoured(true fulfilled: (() async throws -> Void)?, false unfulfilled: () async throws -> Void) async throws
        -> Bool
    {
        if let fulfilled, try await !self.isTaken(fulfilled) { return false }
        do {
            try await unfulfilled()
            return false
        } catch let error as S3Error where error.code == .preconditionFailed || error.code == .notModified {
            return true
        } catch let error as S3Error where !error.retryable {
            return false
        }
    }

    private func isTaken(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return true
        } catch let error as S3Error where !error.retryable {
            return false
        }
    }

    private func cleanUp() async {
        let copies = ["", "-fresh", "-parts"].map { (self.bucket, self.copy + $0) }
        for (bucket, key) in [(self.sourceBucket, self.source)] + copies {
            try? await self.client.deleteObject(bucket: bucket, key: key)
            guard let versions = try? await self.client.listObjectVersions(bucket: bucket, prefix: key).versions else { continue }
            for version in versions {
                try? await self.client.deleteObject(bucket: bucket, key: version.key, versionID: version.versionID)
            }
        }
    }
}
