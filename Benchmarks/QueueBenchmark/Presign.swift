import ArgumentParser
import AsyncHTTPClient
import Foundation
import S3
import S3File

/// What drawing a form and taking it cost, on one core.
struct Presign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Sign forms, draw inputs and verify tickets, one after the other.")

    @Option var seconds = 2.0

    func run() async throws {
        let uploads = try Uploads(configuration: QueueBenchmark.s3file(), logger: QueueBenchmark.logger)
        let httpClient = HTTPClient(eventLoopGroupProvider: .singleton)
        let s3 = S3Client(
            configuration: try S3Configuration(QueueBenchmark.s3file()),
            httpClient: httpClient,
            logger: QueueBenchmark.logger
        )
        let field = UploadField("photo", uploadTo: "photos/%Y/", accept: [.image], maximumSize: .megabytes(10))
        let keys = try SigningKeys(secrets: QueueBenchmark.s3file().secrets)
        let ticket = try Ticket(
            folder: "tmp/s3file/AbCdEfGhIjKlMnOp",
            field: "photo",
            uploadTo: "photos/%Y/",
            accept: ["image/*"],
            maximumSize: 10_000_000,
            maximumCount: 1,
            subject: Ticket.digest(ofSubject: "user-42"),
            issuedAt: Date(),
            expiresAt: Date(timeIntervalSinceNow: 3_600)
        ).signed(with: keys)

        try await self.measure("forms/s") { now in
            let policy = PostPolicy(
                bucket: "media",
                key: .startsWith("tmp/s3file/AbCdEfGhIjKlMnOp/"),
                contentType: .startsWith("image/"),
                contentLength: 0...10_000_000,
                expiration: now.addingTimeInterval(3_600)
            )
            return try await s3.presignedPost(policy, now: now).fields.count
        }
        try await self.measure("inputs/s") { _ in try await uploads.input(field, subject: "user-42").html().utf8.count }
        try await self.measure("tickets/s") { now in try Ticket.read(ticket, keys: keys, now: now).field.utf8.count }
        try await httpClient.shutdown()
    }

    private func measure(_ metric: String, _ once: (Date) async throws -> Int) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let end = start + .seconds(self.seconds)
        var (count, sum) = (0, 0)
        while clock.now < end {
            // What it made is looked at, so that it has to be made.
            sum += try await once(Date())
            count += 1
        }
        guard sum > 0 else { throw ValidationError("nothing was made") }
        QueueBenchmark.tell(metric, Double(count) / ((clock.now - start) / .seconds(1)))
    }
}
