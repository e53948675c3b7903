import Foundation
import Testing

@testable import S3

@Suite("Credentials of an EC2 instance", .timeLimit(.minutes(1)))
struct InstanceMetadataCredentialsTests {
    typealias Issued = IssuedCredentials

    func ask(
        _ answers: [ScriptedServer.Answer],
        environment: [String: String] = [:]
    ) async throws -> (result: Result<S3Credentials, any Error>, requests: [String]) {
        try await Issued.with(answers) { server, transport async throws in
            let provider = InstanceMetadataCredentials(
                // A second is little for a machine that has much to do: a request that is repeated is not what is asked here.
                environment: [
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint, "AWS_METADATA_SERVICE_TIMEOUT": "30",
                ].merging(environment) { $1 },
                transport: transport
            )
            do { return (.success(try await provider.credentials()), server.requests) } catch {
                return (.failure(error), server.requests)
            }
        }
    }

    func error(_ result: Result<S3Credentials, any Error>) throws -> CredentialsError {
        try #require(#expect(throws: CredentialsError.self) { try result.get() })
    }

    @Test("A session is opened, the role's name asked for, then its credentials")
    func answers() async throws {
        let (result, requests) = try await self.ask([
            .status("200 OK", "session=="), .status("200 OK", "my-role\nother"), .status("200 OK", Issued.json(code: "Success")),
        ])
        #expect(try result.get().accessKeyID == "ASIA1")
        #expect(
            requests.map { $0.prefix { $0 != "\r" && $0 != "\r\n" } } == [
                "PUT /latest/api/token HTTP/1.1", "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1",
                "GET /latest/meta-data/iam/security-credentials/my-role HTTP/1.1",
            ]
        )
        #expect(requests[0].lowercased().contains("x-aws-ec2-metadata-token-ttl-seconds: "))
        for request in requests.dropFirst() { #expect(request.lowercased().contains("x-aws-ec2-metadata-token: session==\r\n")) }
    }

    @Test("Version 1, which gives credentials to whoever asks, is never used")
    func noVersion1() async throws {
        let (refused, requests) = try await self.ask([.status("403 Forbidden"), .status("200 OK", "role")])
        #expect(try self.error(refused).kind == .absent)
        #expect(requests.count == 1)
    }

    @Test("Turned off, nobody is asked; where nobody answers, the search goes on")
    func absent() async throws {
        let (off, none) = try await self.ask([.status("200 OK", "x")], environment: ["AWS_EC2_METADATA_DISABLED": "TRUE"])
        #expect(try self.error(off).kind == .absent)
        #expect(none.isEmpty)
        let clock = ContinuousClock()
        let start = clock.now
        let (silent, _) = try await self.ask(
            [.silence],
            environment: ["AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1", "AWS_METADATA_SERVICE_TIMEOUT": "1"]
        )
        #expect(try self.error(silent).kind == .absent)
        #expect(clock.now - start < .seconds(10))
        let free = try await ScriptedServer.with([.silence]) { $0.endpoint }
        let (closed, _) = try await self.ask([.silence], environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": free])
        #expect(try self.error(closed).kind == .absent)
        let (roleless, _) = try await self.ask([.status("200 OK", "t"), .status("404 Not Found")])
        #expect(try self.error(roleless).kind == .absent)
    }

    @Test(
        "A role's name that would lead elsewhere is refused",
        arguments: ["", "../../x", "a/b", "a b", "..", "a?b", "rôle", String(repeating: "r", count: 129)]
    )
    func roleName(name: String) async throws {
        let (result, requests) = try await self.ask([.status("200 OK", "t"), .status("200 OK", name)])
        #expect(try self.error(result).kind == .failed)
        #expect(requests.count == 2)
    }

    @Test("What the service refuses is told")
    func refused() async throws {
        let (code, _) = try await self.ask([
            .status("200 OK", "t"), .status("200 OK", "r"), .status("200 OK", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}"),
        ])
        #expect(try self.error(code).reason.contains("AssumeRoleUnauthorizedAccess"))
        let (token, _) = try await self.ask([.status("200 OK", "a\r\nb")])
        #expect(try self.error(token).kind == .failed)
        let (endpoint, _) = try await self.ask([.silence], environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://x/latest"])
        #expect(try self.error(endpoint).reason.contains("AWS_EC2_METADATA_SERVICE_ENDPOINT"))
    }
}
