import Foundation
import S3

/// The few objects that a check makes in a bucket: all below one folder of its own in the tmp prefix, and gone when it ends.
///
/// What a check that was killed has left is removed by the next one, and in the tmp bucket by the sweep as well.
struct CheckObjects: Sendable {
    /// No check takes longer.
    static let leftoverAge = Duration.seconds(600)

    let client: S3Client
    let bucket: String
    let folder: String

    /// - Parameter prefix: of tmp objects, without trailing slash.
    init(client: S3Client, bucket: String, prefix: String) {
        self.client = client
        self.bucket = bucket
        self.folder = Self.root(prefix) + UUID().uuidString.lowercased()
    }

    private init(client: S3Client, bucket: String, folder: String) {
        self.client = client
        self.bucket = bucket
        self.folder = folder
    }

    func key(_ name: String) -> String { "\(self.folder)/\(name)" }

    static func root(_ prefix: String) -> String { "\(prefix)/.check/" }

    /// Removes what there is below the folder: objects, versions, and unfinished uploads. Also for a check that was interrupted: in a task of
    /// its own, awaited.
    ///
    /// - Returns: what could not be removed, in a sentence; nil when all is gone.
    func remove() async -> String? {
        await Task {
            do {
                try await self.removeObjects()
                return nil
            } catch {
                return "\(error)"
            }
        }.value
    }

    private func removeObjects() async throws {
        try await Self.abortUploads(self.client, self.bucket, below: self.folder + "/") { _ in true }
        var token: String?
        repeat {
            let page = try await self.client.listObjects(bucket: self.bucket, prefix: self.folder + "/", continuationToken: token)
            try await self.delete(page.objects.map { S3ObjectIdentifier(key: $0.key) })
            token = page.nextToken
        } while token != nil
        // In a bucket with versions that has only hidden them. A store that knows none, or does not tell, has none to leave.
        guard let versions = try? await self.client.listObjectVersions(bucket: self.bucket, prefix: self.folder + "/").versions
        else {
            return
        }
        try await self.delete(versions)
    }

    private func delete(_ objects: [S3ObjectIdentifier]) async throws {
        guard !objects.isEmpty else { return }
        if let failure = try await self.client.deleteObjects(bucket: self.bucket, objects).errors.first { throw failure.error }
    }

    private static func abortUploads(
        _ client: S3Client,
        _ bucket: String,
        below prefix: String,
        where isOurs: (S3ListedUpload) -> Bool
    ) async throws {
        // Not allowed, or not there: then there is none of ours that could be found.
        guard let page = try? await client.listMultipartUploads(bucket: bucket, prefix: prefix) else { return }
        // A store may not know the prefix.
        for upload in page.uploads where upload.key.utf8.starts(with: prefix.utf8) && isOurs(upload) {
            try await client.abortMultipartUpload(bucket: bucket, key: upload.key, uploadID: upload.uploadID)
        }
    }

    /// Removes what killed checks have left.
    static func sweep(client: S3Client, bucket: String, prefix: String, olderThan limit: Date) async throws {
        let root = Self.root(prefix)
        var folders: Set<String> = []
        var token: String?
        repeat {
            let page = try await client.listObjects(bucket: bucket, prefix: root, continuationToken: token)
            for object in page.objects where object.lastModified < limit {
                folders.insert(root + object.key.dropFirst(root.count).prefix { $0 != "/" })
            }
            token = page.nextToken
        } while token != nil
        for folder in folders { _ = await CheckObjects(client: client, bucket: bucket, folder: folder).remove() }
        try await Self.abortUploads(client, bucket, below: root) { $0.initiated < limit }
    }
}
