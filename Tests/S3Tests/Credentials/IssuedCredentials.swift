import AsyncHTTPClient
import Foundation
import NIOCore
import TestEnvironment

@testable import S3

/// What the stand-ins for AWS's endpoints answer.
enum IssuedCredentials {
    static func json(
        _ accessKeyID: String = "ASIA1",
        secret: String = "secret",
        token: String? = "token",
        ends: Date? = Date(timeIntervalSinceNow: 3600),
        code: String? = nil
    ) -> String {
        var members = ["\"AccessKeyId\":\"\(accessKeyID)\"", "\"SecretAccessKey\":\"\(secret)\""]
        if let token { members.append("\"Token\":\"\(token)\"") }
        if let ends { members.append("\"Expiration\":\"\(Timestamp.iso8601(ends))\"") }
        if let code { members.append("\"Code\":\"\(code)\"") }
        return "{\(members.joined(separator: ","))}"
    }

    static func xml(_ action: String, _ accessKeyID: String = "ASIA1", ends: Date = Date(timeIntervalSinceNow: 3600)) -> String {
        """
        <\(action)Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><\(action)Result><Credentials>\
        <AccessKeyId>\(accessKeyID)</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>\
        <Expiration>\(Timestamp.iso8601(ends))</Expiration></Credentials></\(action)Result></\(action)Response>
        """
    }

    /// A server with these answers, and what providers ask it with.
    static func with<R: Sendable>(
        _ answers: [ScriptedServer.Answer],
        _ body: (ScriptedServer, CredentialsTransport) async throws -> R
    ) async throws -> R {
        try await ScriptedServer.with(answers) { server in
            try await self.withTransport { try await body(server, $0) }
        }
    }

    static func withTransport<R: Sendable>(_ body: (CredentialsTransport) async throws -> R) async throws -> R {
        let httpClient = HTTPClient(
            eventLoopGroupProvider: .singleton,
            configuration: S3Client.httpClientConfiguration()
        )
        let result: Result<R, any Error>
        do {
            result = .success(try await body(CredentialsTransport(httpClient: httpClient)))
        } catch {
            result = .failure(error)
        }
        try await httpClient.shutdown()
        return try result.get()
    }

    /// A folder with files, for as long as a test needs them.
    static func withFiles<R: Sendable>(_ files: [String: String], _ body: (String) async throws -> R) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "s3file-credentials-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
        return try await body(folder)
    }
}
