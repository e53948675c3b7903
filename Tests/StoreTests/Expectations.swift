import NIOCore
import S3
import TestEnvironment

/// The code of the S3 error that this throws.
func code(_ body: () async throws -> some Any) async -> String {
    do {
        _ = try await body()
        return "none"
    } catch {
        return (error as? S3Error)?.code.rawValue ?? "\(error)"
    }
}

extension StoreBucket {
    @discardableResult
    func put(
        _ key: String,
        _ text: String = "x",
        attributes: S3ObjectAttributes = S3ObjectAttributes(),
        ifNoneMatch: Bool = false
    ) async throws -> S3PutResult {
        try await self.client.putObject(
            bucket: self.name,
            key: key,
            body: ByteBuffer(string: text),
            attributes: attributes,
            ifNoneMatch: ifNoneMatch
        )
    }

    func text(_ key: String, versionID: String? = nil, range: ClosedRange<Int64>? = nil) async throws -> String {
        let body = try await self.client.getObject(bucket: self.name, key: key, versionID: versionID, range: range)
        return String(buffer: try await body.collect(upTo: 1 << 20))
    }

    func head(_ key: String, versionID: String? = nil) async throws -> S3ObjectHead {
        try await self.client.headObject(bucket: self.name, key: key, versionID: versionID)
    }

    func keys(prefix: String = "") async throws -> [String] {
        try await self.client.listObjects(bucket: self.name, prefix: prefix).objects.map(\.key)
    }

    func copy(of source: String, to key: String) -> S3CopyRequest {
        S3CopyRequest(sourceBucket: self.name, sourceKey: source, bucket: self.name, key: key)
    }
}

let otherETag = "\"00000000000000000000000000000000\""
