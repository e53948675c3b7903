import Foundation
import Testing

@testable import S3

@Suite("The chain of credentials", .timeLimit(.minutes(1)))
struct CredentialsChainTests {
    func chain(_ environment: [String: String], _ transport: CredentialsTransport) -> CredentialsChain {
        .standard(environment: environment, region: "us-east-1", transport: transport)
    }

    @Test("The environment goes first, and the error of an empty chain tells what each source said")
    func order() async throws {
        try await IssuedCredentials.withTransport { transport async throws in
            let keys = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"]
            let credentials = try await self.chain(keys, transport).credentials()
            #expect(credentials == S3Credentials(accessKeyID: "a", secretAccessKey: "b", sessionToken: "c"))
            let error = await #expect(throws: CredentialsError.self) {
                try await self.chain(["AWS_EC2_METADATA_DISABLED": "true"], transport).credentials()
            }
            #expect(error?.kind == .absent)
            for word in [
                "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile 'default'", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_EC2_METADATA_DISABLED",
            ] { #expect(error?.description.contains(word) == true, "\(word)") }
        }
    }

    @Test("A source that is set up and fails ends the search: the next might be somebody else")
    func stops() async throws {
        try await IssuedCredentials.with([.status("200 OK", IssuedCredentials.json())]) { server, transport async throws in
            let container = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/"]
            #expect(try await self.chain(container, transport).credentials().accessKeyID == "ASIA1")
            for broken in [
                ["AWS_ACCESS_KEY_ID": "a"], ["AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn"],
                ["AWS_PROFILE": "gone"], ["AWS_CONFIG_FILE": "/proc"],
            ] {
                let error = await #expect(throws: CredentialsError.self) {
                    try await self.chain(container.merging(broken) { $1 }, transport).credentials()
                }
                #expect(error?.kind == .failed, "\(broken)")
            }
            #expect(server.requests.count == 1)
        }
    }
}
