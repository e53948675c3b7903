import Foundation
import Testing

@testable import S3

@Suite("Credentials for a web identity", .timeLimit(.minutes(1)))
struct WebIdentityCredentialsTests {
    typealias Issued = IssuedCredentials
    static let action = "AssumeRoleWithWebIdentity"

    func ask(
        _ answers: [ScriptedServer.Answer],
        token: String = "a.b+c/d",
        environment: [String: String] = [:]
    ) async throws -> (result: Result<S3Credentials, any Error>, requests: [String]) {
        try await Issued.withFiles(["token": token]) { folder async throws in
            try await Issued.with(answers) { server, transport async throws in
                let provider = WebIdentityCredentials(
                    environment: [
                        "AWS_WEB_IDENTITY_TOKEN_FILE": "\(folder)/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                        "AWS_ROLE_SESSION_NAME": "me", "AWS_ENDPOINT_URL_STS": server.endpoint,
                    ].merging(environment) { $1 },
                    region: "eu-west-3",
                    transport: transport
                )
                do { return (.success(try await provider.credentials()), server.requests) } catch {
                    return (.failure(error), server.requests)
                }
            }
        }
    }

    func error(_ result: Result<S3Credentials, any Error>) throws -> CredentialsError {
        try #require(#expect(throws: CredentialsError.self) { try result.get() })
    }

    @Test("The token's file, the role and a session name are posted, unsigned")
    func answers() async throws {
        let (result, requests) = try await self.ask([.status("200 OK", Issued.xml(Self.action))])
        let credentials = try result.get()
        #expect(credentials.accessKeyID == "ASIA1" && credentials.sessionToken == "token" && credentials.expiration != nil)
        let request = try #require(requests.first)
        #expect(request.hasPrefix("POST / HTTP/1.1\r\n"))
        #expect(!request.lowercased().contains("\r\nauthorization:"))
        #expect(
            request.hasSuffix(
                "\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
                    + "&RoleSessionName=me&WebIdentityToken=a.b%2Bc%2Fd"
            )
        )
    }

    @Test("STS is that of the region")
    func endpoint() throws {
        for (region, host) in [("eu-west-3", "sts.eu-west-3.amazonaws.com"), ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn")] {
            #expect(try S3Endpoint(nil, service: "sts", region: region, addressing: .path).description == "https://\(host)")
        }
    }

    @Test("A refusal tells its code, and is repeated only where that can help")
    func refused() async throws {
        let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not\nyou</Message></Error></ErrorResponse>"
        let (refused, one) = try await self.ask([.status("403 Forbidden", denied)])
        let error = try self.error(refused)
        #expect(error.reason == "AssumeRoleWithWebIdentity was refused: AccessDenied: not you")
        #expect(!error.retryable && one.count == 1)
        let (recovered, two) = try await self.ask([.status("503 Busy"), .status("200 OK", Issued.xml(Self.action))])
        #expect(try recovered.get().accessKeyID == "ASIA1")
        #expect(two.count == 2)
        let busy = "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>"
        #expect(try self.error(try await self.ask([.status("400 Bad Request", busy)]).result).retryable)
    }

    @Test(
        "An answer that is not the XML it should be is refused",
        arguments: [
            "", "<a", "<html/>", IssuedCredentials.xml("AssumeRole"), IssuedCredentials.xml("AssumeRoleWithWebIdentity", ""),
            IssuedCredentials.xml("AssumeRoleWithWebIdentity").replacing("Expiration", with: "Exp"),
            IssuedCredentials.xml("AssumeRoleWithWebIdentity").replacing("SessionToken", with: "Token"),
            "<!DOCTYPE a>" + IssuedCredentials.xml("AssumeRoleWithWebIdentity"),
        ]
    )
    func hostile(answer: String) async throws {
        #expect(try self.error(try await self.ask([.status("200 OK", answer)]).result).kind == .failed)
    }

    @Test("A missing role or token is named, and a file that is no token is not sent")
    func settings() async throws {
        #expect(
            try self.error(try await self.ask([.silence], environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": ""]).result).kind
                == .absent
        )
        let role = try self.error(try await self.ask([.silence], environment: ["AWS_ROLE_ARN": ""]).result)
        #expect(role.kind == .failed && role.reason.contains("AWS_ROLE_ARN"))
        let missing = try self.error(
            try await self.ask([.silence], environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"]).result
        )
        #expect(missing.reason.contains("/nowhere"))
        for token in ["", "two\nlines", "ü", String(repeating: "t", count: 70_000)] {
            let (result, requests) = try await self.ask([.silence], token: token)
            #expect(try self.error(result).kind == .failed)
            #expect(requests.isEmpty)
        }
        let endless = try self.error(
            try await self.ask([.silence], environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/zero"]).result
        )
        #expect(endless.reason.contains("larger than"))
    }
}
