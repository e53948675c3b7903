import Foundation
import S3
import S3File
import TestEnvironment

/// A bucket of a store with a record of its own.
struct StoreSite: Sendable {
    let bucket: StoreBucket
    let connections: Connections
    var queue: UploadQueue { self.connections.queue }

    static func with(_ store: KnownStore, _ body: (StoreSite) async throws -> Void) async throws {
        try await store.withBucket { here in
            try await withMigratedDatabase { _, url in
                let configuration = try S3FileConfiguration(
                    databaseURL: url,
                    bucket: here.name,
                    endpointURL: here.endpoint,
                    credentials: .keys(
                        accessKeyID: here.credentials.accessKeyID,
                        secretAccessKey: here.credentials.secretAccessKey
                    ),
                    secrets: ["a secret of these tests, and of nothing else"]
                )
                try await Connections.with(configuration, logger: .quiet) { connections in
                    try await body(StoreSite(bucket: here, connections: connections))
                }
            }
        }
    }

    /// Enqueues what lies at the tmp key, as a form would that was verified now.
    ///
    /// - Parameter bucket: where it is to be stored; nil for the bucket that it lies in.
    func enqueue(
        _ tmpKey: String,
        key: String,
        to bucket: String? = nil,
        storage: StorageSettings? = nil
    ) async throws -> UUID {
        let head = try await self.bucket.head(tmpKey)
        let promise = UploadPromise(
            id: .version7(),
            field: "docs",
            tmpBucket: self.bucket.name,
            tmpKey: tmpKey,
            filename: "ünï \"x\".png",
            size: head.size,
            contentType: head.contentType ?? "",
            etag: head.etag,
            versionID: head.versionID,
            owner: nil,
            bucket: bucket,
            requestedKey: key,
            storage: storage
        )
        return try await self.queue.enqueue([promise], hold: nil)[0].id
    }
}
