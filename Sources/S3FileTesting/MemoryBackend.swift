import AsyncHTTPClient
import Logging
import NIOCore
import S3
import S3File
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A record and a store in memory.
struct MemoryBackend: UploadBackend {
    let memory: MemoryStorage
    let memoryRecord: MemoryRecord
    private let configuration: S3FileConfiguration

    var record: any UploadRecord { self.memoryRecord }
    var storage: any UploadStorage { self.memory }

    init(configuration: S3FileConfiguration, logger: Logger) {
        self.configuration = configuration
        // Signs as in production, and is never asked to send.
        let signer = S3Client(
            configuration: S3Configuration(
                endpoint: configuration.endpointURL,
                region: configuration.region,
                credentials: StaticCredentials(accessKeyID: "test", secretAccessKey: "test")
            ),
            httpClient: .shared,
            logger: logger
        )
        let memory = MemoryStorage(signer: signer)
        self.memory = memory
        self.memoryRecord = MemoryRecord { bucket, key in memory.object(bucket, key) != nil }
    }

    func run() async throws {
        try? await gracefulShutdown()
    }

    func requireSchema(logger: Logger) async throws {}

    /// What a worker does with one upload.
    func store(_ id: UUID) async throws -> Upload {
        let promise = try self.memoryRecord.claim(id)
        guard let object = self.memory.object(promise.tmpBucket, promise.tmpKey), object.etag == promise.etag else {
            throw TestUploadsError(description: "The bytes of upload \(id) are gone, or were replaced: have it fail")
        }
        let upload = try self.memoryRecord.settle(id, as: .stored, error: nil)
        if let key = upload.key {
            _ = try await self.memory.putObject(
                bucket: upload.bucket,
                key: key,
                body: object.bytes,
                attributes: S3ObjectAttributes(contentType: upload.contentType),
                ifNoneMatch: false
            )
        }
        try await self.memory.deleteObject(bucket: promise.tmpBucket, key: promise.tmpKey, versionID: nil, ifMatch: nil)
        return upload
    }
}
