import Foundation
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File

/// The real binary, on settings of a test's own.
struct CommandLineRun: Sendable {
    var settings: [String: String?]

    /// What an operator's shell may hold, and no test wants.
    static let clean: [String: String?] = [
        "DATABASE_URL": nil, "S3FILE_CONFIG": nil, "S3FILE_SECRET": nil, "S3FILE_ENVIRONMENT": nil, "S3FILE_BUCKET": nil,
        "S3FILE_ORIGINS": nil, "AWS_ENDPOINT_URL": nil, "AWS_ENDPOINT_URL_S3": nil, "AWS_SESSION_TOKEN": nil, "AWS_REGION": nil,
        "AWS_PROFILE": nil,
    ]

    /// - Parameters:
    ///   - url: of the database.
    ///   - endpoint: of the store.
    init(url: String, endpoint: String, accessKeyID: String, secretAccessKey: String, bucket: String) {
        self.settings = Self.clean.merging([
            "DATABASE_URL": url, "AWS_ENDPOINT_URL_S3": endpoint, "AWS_ACCESS_KEY_ID": accessKeyID,
            "AWS_SECRET_ACCESS_KEY": secretAccessKey, "S3FILE_BUCKET": bucket,
        ]) { $1 }
    }

    /// - Parameter url: of the database.
    init(url: String, server: TestDevServer) {
        self.init(
            url: url,
            endpoint: server.endpoint,
            accessKeyID: server.configuration.accessKeyID,
            secretAccessKey: server.configuration.secretAccessKey,
            bucket: server.bucket
        )
    }

    /// Standard output and standard error in one, and the exit code.
    func callAsFunction(_ arguments: String..., changing changes: [String: String?] = [:]) async throws -> (
        text: String, code: Int32
    ) {
        try await self.run(arguments, changing: changes)
    }

    func run(_ arguments: [String], changing changes: [String: String?] = [:]) async throws -> (text: String, code: Int32) {
        let (lines, code) = try await Program.output(
            "\(Program.folder)/s3file",
            arguments,
            environment: self.settings.merging(changes) { $1 },
            // Some have tens of thousands of lines to say, beside other tests.
            within: .seconds(180)
        )
        return (lines.joined(separator: "\n"), code)
    }

    /// On a migrated database and a development server of its own.
    static func with<R: Sendable>(_ body: (CommandLineRun, UploadQueue, TestDevServer) async throws -> R) async throws -> R {
        try await withMigratedDatabase { client, url in
            try await TestDevServer.run { server in
                let run = CommandLineRun(url: url, server: server)
                return try await body(run, UploadQueue(client: client), server)
            }
        }
    }
}

extension UploadQueue {
    /// A claim that looks everywhere.
    func claim(worker: Int64, room: Int) async throws -> [Job] {
        try await self.claim(worker: worker, room: room, queues: nil, lanes: nil)
    }
}

extension UploadPromise {
    /// A verified file, as the web side would enqueue it.
    static func example(_ name: String = "q3.pdf", owner: String? = nil, bucket: String = "media") -> UploadPromise {
        let id = UUID.version7()
        return UploadPromise(
            id: id,
            field: "docs",
            tmpBucket: bucket,
            tmpKey: "tmp/s3file/\(id.uuidString.lowercased())/x",
            filename: name,
            size: 12,
            contentType: "text/plain",
            etag: "\"e\"",
            versionID: nil,
            owner: owner,
            requestedKey: "docs/\(id.uuidString.lowercased()).pdf"
        )
    }
}
