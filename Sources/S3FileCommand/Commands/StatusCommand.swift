import ArgumentParser
import Foundation
import S3File

/// `s3file status ID`: one upload, as the status API tells it.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show one upload.",
        discussion: "Exits with 0 when it is there, and with 2 when there is none with this id."
    )

    @OptionGroup var settings: SettingsOptions

    @Flag(help: "Print JSON, as GET /s3file/uploads/ID answers.")
    var json = false

    @Argument(help: "The upload's id.")
    var id: String

    func run() async throws {
        guard let id = UUID(uuidString: self.id) else {
            throw ValidationError("\"\(self.id)\" is not an upload's id; it looks like 0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60")
        }
        let found = try await Database.with(try await self.settings.requiredDatabaseURL(), logger: self.settings.logger) {
            client in
            try await UploadQueue(client: client).upload(id)
        }
        guard let upload = found else {
            throw CommandError(.problems, "There is no upload \(id.uuidString.lowercased())")
        }
        if self.json {
            print(String(decoding: try upload.json(), as: UTF8.self))
            return
        }
        print("\(upload.status.rawValue)  \(upload.filename)  \(ByteCount(bytes: upload.size))")
        if let key = upload.key { print("key      s3://\(upload.bucket)/\(key)") }
        print("attempt  \(upload.attempt) of \(upload.maxAttempts)")
        if let error = upload.error { print("error    \(error.code): \(error.message)") }
        print("created  \(upload.createdAt.formatted(.iso8601))")
        if let storedAt = upload.storedAt { print("stored   \(storedAt.formatted(.iso8601))") }
    }
}
