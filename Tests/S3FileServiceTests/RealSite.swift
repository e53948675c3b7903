import Foundation
import Logging
import NIOCore
import Postgres
import S3
import S3File
import TestEnvironment

/// Uploads on a Postgres and an S3 of their own.
struct RealSite: Sendable {
    let uploads: Uploads
    let database: PostgresClient
    let url: String
    let server: TestDevServer

    static func with(_ body: @Sendable (RealSite) async throws -> Void) async throws {
        try await withMigratedDatabase { client, url in
            try await TestDevServer.run { server in
                let configuration = try S3FileConfiguration(
                    databaseURL: url,
                    bucket: server.bucket,
                    endpointURL: server.endpoint,
                    credentials: .keys(
                        accessKeyID: server.credentials.accessKeyID,
                        secretAccessKey: server.credentials.secretAccessKey
                    ),
                    secrets: ["a secret that is long enough for a test"]
                )
                try await body(
                    RealSite(
                        uploads: try Uploads(configuration: configuration, logger: .quiet),
                        database: client,
                        url: url,
                        server: server
                    )
                )
            }
        }
    }

    /// An upload as a form would have brought it.
    @discardableResult
    func enqueue(owner: String, field: String) async throws -> Upload {
        let promise = UploadPromise(
            id: .version7(),
            field: field,
            tmpBucket: self.server.bucket,
            tmpKey: "tmp/s3file/\(UUID().uuidString)/x",
            filename: "x.pdf",
            size: 1,
            contentType: "application/pdf",
            etag: "\"e\"",
            versionID: nil,
            owner: owner,
            requestedKey: "\(field)/x.pdf"
        )
        return try await self.uploads.enqueue([promise])[0]
    }

    /// Posts a file to S3 as the page's script does, for an input that the service drew, and returns the form that it would post.
    func posted(_ drawn: Asker.Answer, filename: String, text: String, contentType: String) async throws -> [(String, String)] {
        let (field, folder) = (try drawn.text("field"), try drawn.folder())
        let key = "\(folder)/\(UUID().uuidString.lowercased())"
        try await TestStore.withClient(self.server.s3Configuration) { client, _ in
            _ = try await client.putObject(
                bucket: self.server.bucket,
                key: key,
                body: ByteBuffer(string: text),
                attributes: S3ObjectAttributes(contentType: contentType)
            )
        }
        return [
            ("s3file", field), ("\(field)-s3f-signature", try drawn.text("ticket")), (field, key),
            ("\(field)-s3f-name", filename),
        ]
    }
}

extension Asker.Answer {
    /// Where the script puts files.
    func folder() throws -> String {
        let key = try self.value("fields", "key") as? String ?? ""
        return String(key.dropLast("/${filename}".count))
    }
}
