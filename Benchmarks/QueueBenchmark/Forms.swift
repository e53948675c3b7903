import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import S3
import S3File

/// Forms with one uploaded file each, ready to be posted: one body a line.
struct Forms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Upload files for forms, and print the forms' bodies.")
    static let field = UploadField("photo", uploadTo: "photos/%Y/", accept: [.image], maximumSize: .megabytes(10))

    @Option var count = 1_000
    @Option(help: "Bytes of each file.") var bytes = 100_000
    @Option(help: "Sign for django-s3file with this SECRET_KEY.") var django: String?

    func run() async throws {
        let configuration = try QueueBenchmark.environment()
        let uploads = try Uploads(configuration: configuration, logger: QueueBenchmark.logger)
        let httpClient = HTTPClient(
            eventLoopGroupProvider: .singleton,
            configuration: S3Client.httpClientConfiguration()
        )
        let s3 = S3Client(
            configuration: try S3Configuration(configuration),
            httpClient: httpClient,
            logger: QueueBenchmark.logger
        )
        // A picture by its first bytes.
        var file = ByteBuffer(string: "GIF89a")
        file.writeRepeatingByte(0x78, count: self.bytes - 6)
        let signature = self.django.map { DjangoSignature(secret: $0) }
        let body = file
        try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<self.count {
                if index >= 32, let line = try await group.next() { print(line) }
                group.addTask {
                    let input = try await uploads.input(Self.field, subject: "user-42")
                    let template = input.fields.first { $0.name == "key" }?.value ?? ""
                    let folder = template.replacing("/${filename}", with: "")
                    let key = "\(folder)/photo.gif"
                    _ = try await s3.putObject(
                        bucket: configuration.bucket,
                        key: key,
                        body: body,
                        attributes: S3ObjectAttributes(contentType: "image/gif")
                    )
                    return URIEncoding.query([
                        ("title", "A picture"), ("s3file", "photo"),
                        ("photo-s3f-signature", signature?.signature(of: folder) ?? input.ticket), ("photo", key),
                    ])
                }
            }
            for try await line in group { print(line) }
        }
        try await httpClient.shutdown()
    }
}
