import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Finds out with real objects what a store honours: each condition is sent where it must be refused, and where it must not.
///
/// It takes some thirty small requests, most of them at the same time: no question touches the objects of another, so that they need not
/// wait for each other. It removes what it made. What the credentials may not do counts as not honoured.
package struct S3CapabilityProbe: Sendable {
    private let client: S3Client
    private let sourceBucket: String
    private let bucket: String
    private let name: String

    /// - Parameter prefix: of the keys of its objects, in both buckets; without a trailing slash.
    package init(client: S3Client, sourceBucket: String, bucket: String, prefix: String) {
        self.init(
            client: client,
            sourceBucket: sourceBucket,
            bucket: bucket,
            name: Self.folder(prefix) + UUID().uuidString.lowercased()
        )
    }

    init(client: S3Client, sourceBucket: String, bucket: String, name: String) {
        self.client = client
        self.sourceBucket = sourceBucket
        self.bucket = bucket
        self.name = name
    }

    /// Below this its objects are.
    package static func folder(_ prefix: String) -> String { "\(prefix)/.capabilities/" }

    private func key(_ object: Object) -> String { "\(self.name)/\(object.rawValue)" }

    /// What it makes.
    private enum Object: String, CaseIterable {
        /// In the bucket of the sources.
        case source, batch, versions
        /// In the other.
        case copy, matched, unmatched, fresh, parts, deleted, version

        static let sources: [Object] = [.source, .batch, .versions]
    }

    /// - Throws: ``S3Error`` when the store cannot be reached, or the first object not be put: then nothing is known.
    package func run() async throws -> S3Capabilities {
        let result: Result<S3Capabilities, any Error>
        do {
            result = .success(try await self.probe())
        } catch {
            result = .failure(error)
        }
        // In a task of its own, awaited: a cancelled probe cleans up, too. What that cannot remove is swept.
        await Task { await self.cleanUp() }.value
        return try result.get()
    }

    private static let otherETag = "\"00000000000000000000000000000000\""

    // MARK: Questions

    private func probe() async throws -> S3Capabilities {
        let source = try await self.put(.source)
        guard try await self.isTaken({ _ = try await self.client.copyObject(self.copying(to: .copy)) }) else {
            return S3Capabilities()
        }
        async let checksums = self.keepsChecksums()
        async let copySourceIfMatch = self.fencesSource(source.etag)
        async let copyIfNoneMatch = self.overwritesNothing()
        async let parts = self.honoursInParts(source.etag)
        async let deleteIfMatch = self.fencesDeletion()
        async let batchDeleteIfMatch = self.fencesBatchDeletion()
        async let sourceVersions = self.copiesVersions(of: source)
        var capabilities = S3Capabilities()
        capabilities.checksums = try await checksums
        capabilities.copySourceIfMatch = try await copySourceIfMatch
        capabilities.copyIfNoneMatch = try await copyIfNoneMatch
        (capabilities.partCopySourceIfMatch, capabilities.completeIfNoneMatch) = try await parts
        capabilities.deleteIfMatch = try await deleteIfMatch
        capabilities.batchDeleteIfMatch = try await batchDeleteIfMatch
        capabilities.sourceVersions = try await sourceVersions
        return capabilities
    }

    private func keepsChecksums() async throws -> Bool {
        try await self.client.headObject(bucket: self.bucket, key: self.key(.copy), checksum: true).checksum != nil
    }

    private func fencesSource(_ etag: String) async throws -> Bool {
        try await self.isHonoured(
            true: { _ = try await self.client.copyObject(self.copying(to: .matched, sourceIfMatch: etag)) },
            false: { _ = try await self.client.copyObject(self.copying(to: .unmatched, sourceIfMatch: Self.otherETag)) }
        )
    }

    private func overwritesNothing() async throws -> Bool {
        try await self.isHonoured(
            true: { _ = try await self.client.copyObject(self.copying(to: .fresh, ifNoneMatch: true)) },
            false: { _ = try await self.client.copyObject(self.copying(to: .copy, ifNoneMatch: true)) }
        )
    }

    private func fencesDeletion() async throws -> Bool {
        let etag = try await self.client.copyObject(self.copying(to: .deleted)).etag
        let key = self.key(.deleted)
        // The one that must be refused comes first: the other leaves nothing to be asked for.
        guard
            try await self.isRefused({
                try await self.client.deleteObject(bucket: self.bucket, key: key, ifMatch: Self.otherETag)
            })
        else { return false }
        return try await self.isTaken { try await self.client.deleteObject(bucket: self.bucket, key: key, ifMatch: etag) }
    }

    private func fencesBatchDeletion() async throws -> Bool {
        _ = try await self.put(.batch)
        return try await self.isRefused {
            let object = S3ObjectIdentifier(key: self.key(.batch), ifMatch: Self.otherETag)
            if let failure = try await self.client.deleteObjects(bucket: self.sourceBucket, [object]).errors.first {
                throw failure.error
            }
        }
    }

    /// The older of two versions must be what is copied, whole and as a part, when it is asked for.
    private func copiesVersions(of source: S3PutResult) async throws -> Bool {
        guard let version = source.versionID, version != "null" else { return false }
        let older = try await self.put(.versions)
        _ = try await self.put(.versions, "replaced")
        var request = self.copying(to: .version)
        request.sourceKey = self.key(.versions)
        request.sourceVersionID = older.versionID
        do {
            let whole = try await self.client.copyObject(request)
            return try await self.withUpload(.version) { [request] uploadID in
                let part = try await self.client.uploadPartCopy(request, uploadID: uploadID, number: 1, range: nil)
                return S3ObjectHead.isSameETag(whole.etag, older.etag) && S3ObjectHead.isSameETag(part.etag, older.etag)
            }
        } catch let error as S3Error where !error.retryable {
            return false
        }
    }

    // MARK: Copies in parts

    private func honoursInParts(_ etag: String) async throws -> (copySourceIfMatch: Bool, completeIfNoneMatch: Bool) {
        do {
            async let isSourceFenced = self.fencesPartSource(etag)
            async let isNothingOverwritten = self.completesOverNothing()
            return (try await isSourceFenced, try await isNothingOverwritten)
        } catch let error as S3Error where !error.retryable {
            // Not allowed, or not there: then it is not relied on.
            return (false, false)
        }
    }

    private func fencesPartSource(_ etag: String) async throws -> Bool {
        try await self.withUpload(.parts) { uploadID in
            try await self.isHonoured(
                true: { _ = try await self.part(1, of: uploadID, sourceIfMatch: etag) },
                false: { _ = try await self.part(2, of: uploadID, sourceIfMatch: Self.otherETag) }
            )
        }
    }

    /// Where there is no object it must be taken, and where there is one it must not: there is after the first of two uploads to one key.
    private func completesOverNothing() async throws -> Bool {
        try await self.withUpload(.parts) { first in
            try await self.withUpload(.parts) { second in
                async let ofFirst = self.part(1, of: first)
                async let ofSecond = self.part(1, of: second)
                let parts = (try await ofFirst, try await ofSecond)
                guard try await self.isTaken({ try await self.complete(first, parts.0) }) else { return false }
                return try await self.isRefused { try await self.complete(second, parts.1) }
            }
        }
    }

    private func part(_ number: Int, of uploadID: String, sourceIfMatch: String? = nil) async throws -> S3Part {
        try await self.client.uploadPartCopy(
            self.copying(to: .parts, sourceIfMatch: sourceIfMatch),
            uploadID: uploadID,
            number: number,
            range: nil
        )
    }

    private func complete(_ uploadID: String, _ part: S3Part) async throws {
        _ = try await self.client.completeMultipartUpload(
            bucket: self.bucket,
            key: self.key(.parts),
            uploadID: uploadID,
            parts: [part],
            ifNoneMatch: true
        )
    }

    private func withUpload<R: Sendable>(_ object: Object, _ body: (String) async throws -> R) async throws -> R {
        let uploadID = try await self.client.createMultipartUpload(bucket: self.bucket, key: self.key(object))
        let result: Result<R, any Error>
        do {
            result = .success(try await body(uploadID))
        } catch {
            result = .failure(error)
        }
        let (client, bucket, key) = (self.tidyClient, self.bucket, self.key(object))
        await Task { try? await client.abortMultipartUpload(bucket: bucket, key: key, uploadID: uploadID) }.value
        return try result.get()
    }

    // MARK: Requests and answers

    private func put(_ object: Object, _ text: String = "s3file") async throws -> S3PutResult {
        try await self.client.putObject(bucket: self.sourceBucket, key: self.key(object), body: ByteBuffer(string: text))
    }

    private func copying(to object: Object, sourceIfMatch: String? = nil, ifNoneMatch: Bool = false) -> S3CopyRequest {
        var request = S3CopyRequest(
            sourceBucket: self.sourceBucket,
            sourceKey: self.key(.source),
            bucket: self.bucket,
            key: self.key(object)
        )
        request.sourceIfMatch = sourceIfMatch
        request.ifNoneMatch = ifNoneMatch
        return request
    }

    /// Whether a condition is honoured: it must let through what fulfils it, and refuse what does not, for that very reason.
    private func isHonoured(
        true fulfilled: @escaping @Sendable () async throws -> Void,
        false unfulfilled: @escaping @Sendable () async throws -> Void
    ) async throws -> Bool {
        async let isTaken = self.isTaken(fulfilled)
        async let isRefused = self.isRefused(unfulfilled)
        let answers = (try await isTaken, try await isRefused)
        return answers.0 && answers.1
    }

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

    private func isTaken(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return true
        } catch let error as S3Error where !error.retryable {
            return false
        }
    }

    // MARK: Tidying up

    /// All of it, so that a store that does not answer holds up no shutdown.
    static let tidyTime = Duration.seconds(5)

    /// What it leaves undone is swept: it need not try for long.
    private var tidyClient: S3Client {
        var client = self.client
        client.timeouts.request = .seconds(2)
        client.retry = S3RetryPolicy(attempts: 2)
        return client
    }

    func cleanUp() async {
        let client = self.tidyClient
        try? await withDeadline(Self.tidyTime) {
            await withTaskGroup(of: Void.self) { group in
                for bucket in Set([self.sourceBucket, self.bucket]) {
                    group.addTask { try? await self.remove(client, bucket) }
                }
            }
        }
    }

    private func remove(_ client: S3Client, _ bucket: String) async throws {
        let objects = Object.allCases.filter { bucket == (Object.sources.contains($0) ? self.sourceBucket : self.bucket) }
        _ = try await client.deleteObjects(bucket: bucket, objects.map { S3ObjectIdentifier(key: self.key($0)) })
        // In a bucket with versions that has only hidden them.
        let versions = try await client.listObjectVersions(bucket: bucket, prefix: self.name + "/").versions
        if !versions.isEmpty { _ = try await client.deleteObjects(bucket: bucket, versions) }
    }
}
