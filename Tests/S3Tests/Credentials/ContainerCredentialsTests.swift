import Foundation
import Testing

@testable import S3

@Suite("Credentials of a container's endpoint", .timeLimit(.minutes(1)))
struct ContainerCredentialsTests {
    typealias Issued = IssuedCredentials

    @Test("ECS gives a path, and EKS a URL with a token that is read anew each time")
    func answers() async throws {
        try await Issued.with([.status("200 OK", Issued.json())]) { server, transport async throws in
            let credentials = try await ContainerCredentials(
                environment: ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"],
                transport: transport,
                relativeTo: server.endpoint
            ).credentials()
            #expect(credentials.accessKeyID == "ASIA1")
            #expect(credentials.sessionToken == "token")
            #expect(try #require(credentials.expiration) > Date(timeIntervalSinceNow: 3500))
            #expect(server.requests.first?.hasPrefix("GET /v2/credentials/x HTTP/1.1\r\n") == true)
            #expect(server.requests.first?.lowercased().contains("authorization:") == false)
        }
        try await Issued.withFiles(["token": "first"]) { folder async throws in
            try await Issued.with([.status("200 OK", Issued.json())]) { server, transport async throws in
                let provider = ContainerCredentials(
                    environment: [
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/v1/credentials",
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this one",
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\(folder)/token",
                    ],
                    transport: transport
                )
                _ = try await provider.credentials()
                try Data("second".utf8).write(to: URL(filePath: "\(folder)/token"))
                _ = try await provider.credentials()
                #expect(server.requests.count == 2)
                #expect(server.requests[0].lowercased().contains("\r\nauthorization: first\r\n"))
                #expect(server.requests[1].lowercased().contains("\r\nauthorization: second\r\n"))
            }
        }
    }

    @Test("Without TLS only this machine and AWS's own addresses are asked")
    func hosts() {
        for url in [
            "https://anywhere.example/x", "http://127.0.0.1/x", "http://127.9.9.9:80/x", "http://localhost:5000/",
            "http://[::1]/x",
            "http://169.254.170.2/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials",
        ] { #expect(ContainerCredentials.isAllowed(url), "\(url)") }
        for url in [
            "http://anywhere.example/x", "http://169.254.169.254/x", "http://10.0.0.1/x", "http://127.0.0.1.example/x",
            "http://127.0.0.1@evil.example/x", "http://user:word@127.0.0.1/x", "http://[fd00:ec2::24]/x", "ftp://127.0.0.1/x",
            "x", "",
            "http:///x", "http://127.0.0.999/x", "http://127.1/x", "http://127.0.0.1 /x",
        ] { #expect(!ContainerCredentials.isAllowed(url), "\(url)") }
    }

    @Test(
        "An answer that is not credentials is refused, and its text is not told",
        arguments: [
            "", "null", "[]", "{}", "{\"AccessKeyId\":1}", "{\"AccessKeyId\":\"a\"", "<xml/>",
            IssuedCredentials.json(ends: nil), IssuedCredentials.json(""), IssuedCredentials.json(secret: "hush\u{1}hush"),
            IssuedCredentials.json(token: "hush\\r\\nx-evil: 1"),
            IssuedCredentials.json(token: String(repeating: "t", count: 20_000)),
            IssuedCredentials.json().replacing("Z\"", with: "\""),
            IssuedCredentials.json().replacing("\"Expiration\":\"", with: "\"Expiration\":\"x"),
            String(repeating: "[", count: 30_000), String(repeating: "x", count: 70_000),
        ]
    )
    func hostile(answer: String) async throws {
        try await Issued.with([.status("200 OK", answer)]) { server, transport async throws in
            let error = await #expect(throws: CredentialsError.self) {
                try await ContainerCredentials(
                    environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/"],
                    transport: transport
                ).credentials()
            }
            #expect(error?.kind == .failed)
            #expect(error?.description.contains("hush") == false)
            #expect((error?.description.count ?? 0) < 500)
        }
    }

    @Test("A stumbling endpoint is asked again; one that refuses is not")
    func failures() async throws {
        func ask(_ answers: [ScriptedServer.Answer]) async throws -> (Result<S3Credentials, any Error>, Int) {
            try await Issued.with(answers) { server, transport async throws in
                let provider = ContainerCredentials(
                    environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/"],
                    transport: transport
                )
                do { return (.success(try await provider.credentials()), server.requests.count) } catch {
                    return (.failure(error), server.requests.count)
                }
            }
        }
        let (recovered, three) = try await ask([.status("500 Oops"), .sendAndClose(""), .status("200 OK", Issued.json())])
        #expect(try recovered.get().accessKeyID == "ASIA1")
        #expect(three == 3)
        let (refused, one) = try await ask([.status("403 Forbidden", "no")])
        let error = #expect(throws: CredentialsError.self) { try refused.get() }
        #expect(error?.kind == .failed && error?.retryable == false && one == 1)
        let (down, all) = try await ask([.status("503 Busy")])
        #expect(#expect(throws: CredentialsError.self) { try down.get() }?.retryable == true)
        #expect(all == 3)
    }

    @Test("Nothing set is passed over; a path that is none, and a token of two lines, are named")
    func settings() async throws {
        try await Issued.withFiles(["token": "a\nb"]) { folder async throws in
            try await Issued.withTransport { transport async throws in
                func error(_ environment: [String: String]) async -> CredentialsError? {
                    await #expect(throws: CredentialsError.self) {
                        try await ContainerCredentials(environment: environment, transport: transport).credentials()
                    }
                }
                #expect(await error([:])?.kind == .absent)
                for (environment, name) in [
                    (["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@evil.example/"], "RELATIVE_URI"),
                    (["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/a b"], "RELATIVE_URI"),
                    (["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/"], "FULL_URI"),
                    (
                        [
                            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
                            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\(folder)/token",
                        ], "\(folder)/token"
                    ),
                    (
                        [
                            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
                            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nx-evil: 1",
                        ], "AUTHORIZATION_TOKEN"
                    ),
                ] {
                    let error = await error(environment)
                    #expect(error?.kind == .failed)
                    #expect(error?.description.contains(name) == true, "\(String(describing: error))")
                }
            }
        }
    }
}
