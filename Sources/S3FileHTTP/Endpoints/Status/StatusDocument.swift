import Crypto
import NIOCore
import NIOFoundationCompat
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Uploads as JSON, and the tag of what it says.
struct StatusDocument {
    /// Of the records, not of the presigned URLs, which differ every second. For stored uploads it changes every 20 minutes, so that a cached
    /// answer's URL has at least 40 of its 60 minutes left.
    let entityTag: String
    let uploads: [Upload]

    init(_ uploads: [Upload], now: Date) throws {
        self.uploads = uploads
        var digest = SHA256()
        for upload in uploads { digest.update(data: try upload.forSender.json()) }
        let period = uploads.contains { $0.status == .stored } ? Int(now.timeIntervalSince1970) / 1_200 : 0
        digest.update(data: Data("\(period)".utf8))
        self.entityTag = "\"" + digest.finalize().prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
    }

    /// The one upload.
    func single(_ uploads: Uploads) async throws -> ByteBuffer {
        var body = ByteBuffer()
        for upload in self.uploads.prefix(1) { body.writeBytes(try await upload.json(for: uploads)) }
        return body
    }

    /// `{"uploads":[…]}`
    func list(_ uploads: Uploads) async throws -> ByteBuffer {
        var body = ByteBuffer(string: #"{"uploads":["#)
        for (index, upload) in self.uploads.enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeBytes(try await upload.json(for: uploads))
        }
        body.writeString("]}")
        return body
    }
}
