import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import S3
import S3File

/// Does what web processes and workers do, once, with small objects: what is refused is a right that lacks. Then asks for them as nobody.
struct RightsCheck: Sendable {
    let client: S3Client
    let configuration: S3FileConfiguration
    let objects: CheckObjects
    let httpClient: HTTPClient

    private var bucket: String { self.objects.bucket }

    /// - Returns: whether objects can be written there, for what comes after.
    func check(_ report: inout CheckReport) async -> Bool {
        var (lacking, lesser): ([String], [String]) = ([], [])
        let key = self.objects.key("rights")
        var versionID: String?
        do {
            versionID = try await self.client.putObject(bucket: self.bucket, key: key, body: ByteBuffer(string: "s3file"))
                .versionID
            report.written += 1
        } catch {
            self.add(lacking: ["s3:PutObject"], because: error, &report)
            return false
        }
        func need(_ right: String, orLesser isLesser: Bool = false, _ body: () async throws -> Void) async {
            do {
                try await body()
            } catch let error as S3Error where error.status == 403 {
                if isLesser { lesser.append(right) } else { lacking.append(right) }
            } catch let error as S3Error where error.code == .notImplemented || error.code == .methodNotAllowed {
                report.note(self.bucket, "\(right.dropFirst(3)) is not known to this store")
            } catch {
                report.add(
                    .notLookedAt,
                    "The right \(right) in the bucket \(self.bucket) could not be tried: \(Failure(error).sentence)",
                    remedy: "Run this again."
                )
            }
        }
        await need("s3:GetObject") { _ = try await self.client.headObject(bucket: self.bucket, key: key) }
        await need("s3:ListBucket") { _ = try await self.client.listObjects(bucket: self.bucket, prefix: self.objects.folder) }
        await need("s3:PutObject") {
            let uploadID = try await self.client.createMultipartUpload(bucket: self.bucket, key: self.objects.key("parts"))
            await need("s3:ListMultipartUploadParts") {
                _ = try await self.client.listParts(bucket: self.bucket, key: self.objects.key("parts"), uploadID: uploadID)
            }
            await need("s3:ListBucketMultipartUploads", orLesser: true) {
                _ = try await self.client.listMultipartUploads(bucket: self.bucket, prefix: self.objects.folder)
            }
            await need("s3:AbortMultipartUpload") {
                try await self.client.abortMultipartUpload(
                    bucket: self.bucket,
                    key: self.objects.key("parts"),
                    uploadID: uploadID
                )
            }
        }
        await self.checkPublic(key, &report)
        await need("s3:DeleteObject") { try await self.client.deleteObject(bucket: self.bucket, key: key) }
        if let versionID, versionID != "null" {
            await need("s3:ListBucketVersions") {
                _ = try await self.client.listObjectVersions(bucket: self.bucket, prefix: self.objects.folder)
            }
            await need("s3:GetObjectVersion") {
                _ = try await self.client.headObject(bucket: self.bucket, key: key, versionID: versionID)
            }
            await need("s3:DeleteObjectVersion") {
                try await self.client.deleteObject(bucket: self.bucket, key: key, versionID: versionID)
            }
        }
        if !lacking.isEmpty { self.add(lacking: lacking, because: nil, &report) }
        if !lesser.isEmpty {
            report.add(
                .lesserRights,
                "The credentials have no \(lesser.joined(separator: ", ")) in the bucket \(self.bucket).",
                remedy: "Allow it, or: s3file bucket setup --policy --principal ARN --yes"
            )
        }
        return true
    }

    private func add(lacking rights: [String], because error: (any Error)?, _ report: inout CheckReport) {
        let reason = error.map { ": \(Failure($0).sentence)" } ?? "."
        report.add(
            .bucketRights,
            "The credentials have no \(rights.joined(separator: ", ")) in the bucket \(self.bucket)\(reason)",
            remedy: "Give their user or role these rights, and no more:\n"
                + BucketPolicy.rights(of: self.bucket, isVersioned: false, isForIdentity: true, principals: []).json
        )
    }

    /// Asks without credentials.
    private func checkPublic(_ key: String, _ report: inout CheckReport) async {
        guard
            let object = try? self.client.publicURL(bucket: self.bucket, key: key),
            let bucket = try? self.client.publicURL(bucket: self.bucket)
        else { return }
        for (what, url) in [("read objects", object), ("list the objects", bucket + "?list-type=2")] {
            guard let answer = try? await self.httpClient.execute(HTTPClientRequest(url: url), timeout: .seconds(10)) else {
                continue
            }
            _ = try? await answer.body.collect(upTo: 1 << 16)
            guard (200..<300).contains(answer.status.code) else { continue }
            report.add(
                .publicBucket,
                "Anybody can \(what) of the bucket \(self.bucket), without credentials.",
                remedy: BucketCheck.block(self.bucket)
            )
        }
    }
}
