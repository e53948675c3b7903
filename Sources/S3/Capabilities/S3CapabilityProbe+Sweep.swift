#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

extension S3CapabilityProbe {
    /// Removes what probes have left behind that were killed, or could not tidy up.
    ///
    /// - Parameters:
    ///   - prefix: that of the probes.
    ///   - limit: what is older; no probe takes more than minutes.
    /// - Returns: of how many probes.
    package static func sweep(client: S3Client, bucket: String, prefix: String, olderThan limit: Date) async throws -> Int {
        let folder = Self.folder(prefix)
        var names: Set<String> = []
        var token: String?
        repeat {
            let page = try await client.listObjects(bucket: bucket, prefix: folder, continuationToken: token)
            for object in page.objects where object.lastModified < limit {
                names.insert(folder + object.key.dropFirst(folder.count).prefix { $0 != "/" })
            }
            token = page.nextToken
        } while token != nil
        for name in names {
            try Task.checkCancellation()
            await S3CapabilityProbe(client: client, sourceBucket: bucket, bucket: bucket, name: name).cleanUp()
        }
        return names.count
    }
}
