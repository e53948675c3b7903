import Foundation
import Hummingbird
import NIOCore
import S3

/// A bucket's policy is kept and given back, so that what writes one can be tried; nothing is decided by it: there is one account here, and it
/// may do everything, and nobody else anything.
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html)
extension Operations {
    /// AWS's own limit is 20 KB.
    private static let maximumPolicy = 20 * 1024

    func bucketPolicy(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        switch request.method {
        case "GET":
            let bytes = try await self.policy(of: bucket)
            return Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            )
        case "PUT":
            let bytes = try await self.payload(request, verified).collect(upTo: Self.maximumDocument)
            guard bytes.count <= Self.maximumPolicy, Self.statements(bytes) != nil else {
                throw S3Error(S3Error.Code("MalformedPolicy"), status: 400, message: "This policy contains invalid Json")
            }
            try await self.disk.run { try $0.setDocument("policy", of: bucket, to: bytes) }
            return Response(status: .noContent)
        case "DELETE":
            try await self.disk.run { try $0.setDocument("policy", of: bucket, to: nil) }
            return Response(status: .noContent)
        default:
            throw S3Error.methodNotAllowed
        }
    }

    /// Public is what allows something to everybody without any condition.
    func bucketPolicyStatus(_ request: S3Request) async throws -> Response {
        let statements = Self.statements(try await self.policy(of: try request.requireBucket())) ?? []
        let isPublic = statements.contains { statement in
            let principal = statement["Principal"]
            let isEverybody = principal as? String == "*" || (principal as? [String: Any])?["AWS"] as? String == "*"
            return statement["Effect"] as? String == "Allow" && isEverybody && statement["Condition"] == nil
        }
        return Response.xml("PolicyStatus") { $0.element("IsPublic", text: isPublic ? "true" : "false") }
    }

    private func policy(of bucket: String) async throws -> [UInt8] {
        guard let bytes = try await self.disk.run({ try $0.document("policy", of: bucket) }) else {
            throw S3Error(S3Error.Code("NoSuchBucketPolicy"), status: 404, message: "The bucket policy does not exist")
        }
        return bytes
    }

    private static func statements(_ bytes: [UInt8]) -> [[String: Any]]? {
        let document = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        return document?["Statement"] as? [[String: Any]]
    }
}
