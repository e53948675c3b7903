import Foundation
import Testing

@testable import S3

@Suite("Credentials of a profile", .timeLimit(.minutes(1)))
struct ProfileCredentialsTests {
    typealias Issued = IssuedCredentials

    func ask(
        config: String = "",
        credentials: String = "",
        profile: String? = nil,
        answers: [ScriptedServer.Answer] = [.silence],
        environment: [String: String] = [:]
    ) async throws -> (result: Result<S3Credentials, any Error>, requests: [String]) {
        try await Issued.with(answers) { server, transport async throws in
            let files = ["config": config.replacing("$ENDPOINT", with: server.endpoint), "credentials": credentials]
            return try await Issued.withFiles(files) { folder async throws in
                var environment = environment
                environment["AWS_CONFIG_FILE"] = "\(folder)/config"
                environment["AWS_SHARED_CREDENTIALS_FILE"] = "\(folder)/credentials"
                environment["AWS_PROFILE"] = profile
                environment["AWS_ENDPOINT_URL_STS"] = server.endpoint
                let provider = ProfileCredentials(environment: environment, region: "eu-west-3", transport: transport)
                do { return (.success(try await provider.credentials()), server.requests) } catch {
                    return (.failure(error), server.requests)
                }
            }
        }
    }

    func error(_ result: Result<S3Credentials, any Error>) throws -> CredentialsError {
        try #require(#expect(throws: CredentialsError.self) { try result.get() })
    }

    static let keys = "aws_access_key_id = AKIA\naws_secret_access_key=se#cr;et # a comment\n"

    @Test("Keys come from the credentials file before the config file, of the profile that is asked for")
    func keys() async throws {
        let credentials =
            "# comment\n[default]\n\(Self.keys)\n[work]\naws_access_key_id=W\naws_secret_access_key=w\naws_session_token=t\n"
        let usual = try await self.ask(config: "[default]\naws_access_key_id=no\nregion=x", credentials: credentials).result.get()
        #expect(usual == S3Credentials(accessKeyID: "AKIA", secretAccessKey: "se#cr;et"))
        let work = try await self.ask(credentials: credentials, profile: "work").result.get()
        #expect(work == S3Credentials(accessKeyID: "W", secretAccessKey: "w", sessionToken: "t"))
        let config = "[profile 'a b']\r\n\(Self.keys)s3 =\r\n  max_concurrent_requests = 1\r\n"
        #expect(try await self.ask(config: config, profile: "a b").result.get().accessKeyID == "AKIA")
    }

    @Test("The region of the profile is found")
    func region() async throws {
        let config = "[default]\nregion = eu-west-1\n[profile work]\nregion=eu-west-3\n[sso-session work]\nregion=no\n"
        try await Issued.withFiles(["config": config]) { folder async throws in
            let environment = ["AWS_CONFIG_FILE": "\(folder)/config", "HOME": folder]
            #expect(try SharedConfiguration.region(environment: environment) == "eu-west-1")
            #expect(
                try SharedConfiguration.region(environment: environment.merging(["AWS_PROFILE": "work"]) { $1 }) == "eu-west-3"
            )
            #expect(try SharedConfiguration.region(environment: ["HOME": folder]) == nil)
            #expect(try SharedConfiguration.region(environment: [:]) == nil)
        }
    }

    @Test("A profile that is named must be there; the default one need not")
    func missing() async throws {
        #expect(try self.error(try await self.ask().result).kind == .absent)
        #expect(try self.error(try await self.ask(config: "[default]\nregion=x").result).kind == .absent)
        let named = try self.error(try await self.ask(credentials: "[default]\n\(Self.keys)", profile: "work").result)
        #expect(named.kind == .failed && named.source.contains("work"))
        let half = try self.error(try await self.ask(credentials: "[default]\naws_access_key_id=a").result)
        #expect(half.kind == .failed && half.reason.contains("secret access key"))
    }

    @Test("A role is taken on with another profile's keys, signed for STS in the profile's region")
    func role() async throws {
        let config = """
            [profile base]
            role_arn = arn:aws:iam::1:role/base
            source_profile = keys
            [profile keys]
            \(Self.keys)
            [profile work]
            role_arn = arn:aws:iam::1:role/r
            role_session_name = me
            external_id = e&x
            duration_seconds = 900
            region = eu-north-1
            source_profile = base
            """
        let (result, requests) = try await self.ask(
            config: config,
            profile: "work",
            answers: [
                .status("200 OK", Issued.xml("AssumeRole", "ASIABASE")), .status("200 OK", Issued.xml("AssumeRole", "ASIAROLE")),
            ]
        )
        #expect(try result.get().accessKeyID == "ASIAROLE")
        #expect(requests.count == 2)
        #expect(requests[0].contains("Credential=AKIA/") && requests[0].contains("/eu-west-3/sts/aws4_request"))
        #expect(requests[1].contains("Credential=ASIABASE/") && requests[1].contains("/eu-north-1/sts/aws4_request"))
        #expect(requests[1].lowercased().contains("x-amz-security-token: token\r\n"))
        #expect(requests[1].hasSuffix("&RoleSessionName=me&DurationSeconds=900&ExternalId=e%26x"))
    }

    @Test("A role may be taken on with the profile's own keys, or those of the environment or the container")
    func sources() async throws {
        let own = "[default]\n\(Self.keys)role_arn=arn\nsource_profile=default\n"
        let answer = ScriptedServer.Answer.status("200 OK", Issued.xml("AssumeRole"))
        let (first, requests) = try await self.ask(config: own, answers: [answer])
        #expect(try first.get().accessKeyID == "ASIA1")
        #expect(requests.first?.contains("Credential=AKIA/") == true)
        let environment = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"]
        let (second, others) = try await self.ask(
            config: "[default]\nrole_arn=arn\ncredential_source=Environment",
            answers: [answer],
            environment: environment
        )
        #expect(try second.get().accessKeyID == "ASIA1")
        #expect(others.first?.contains("Credential=ENV/") == true)
        let lacking = try self.error(try await self.ask(config: "[default]\nrole_arn=arn\ncredential_source=EcsContainer").result)
        #expect(lacking.kind == .failed && lacking.reason.contains("AWS_CONTAINER_CREDENTIALS"))
    }

    @Test("A profile with a web identity's token takes the role on with that")
    func webIdentity() async throws {
        try await Issued.withFiles(["token": "jwt"]) { folder async throws in
            let (result, requests) = try await self.ask(
                config: "[default]\nrole_arn=arn\nweb_identity_token_file=\(folder)/token",
                answers: [.status("200 OK", Issued.xml("AssumeRoleWithWebIdentity"))]
            )
            #expect(try result.get().accessKeyID == "ASIA1")
            #expect(requests.first?.contains("WebIdentityToken=jwt") == true)
        }
    }

    @Test("A program's output is read, bounded, and its failure told")
    func process() async throws {
        let end = "2099-01-01T02:00:00+02:00"
        let json =
            "{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"\(end)\"}"
        let credentials = try await self.ask(config: "[default]\ncredential_process = echo '\(json)'").result.get()
        #expect(credentials.accessKeyID == "P" && credentials.sessionToken == "t")
        #expect(credentials.expiration == Timestamp.parseISO8601("2099-01-01T00:00:00Z"))
        for command in ["exit 3", "echo '{}'", "echo hush", "head -c 100000 /dev/zero", "/nowhere/at/all"] {
            let error = try self.error(try await self.ask(config: "[default]\ncredential_process = \(command)").result)
            #expect(error.kind == .failed && !error.description.contains("hush"), "\(command)")
        }
    }

    @Test(
        "What cannot work is named",
        arguments: [
            ("[default]\nrole_arn=a", "source_profile"), ("[default]\nrole_arn=a\nsource_profile=default", "circle"),
            ("[default]\nrole_arn=a\nsource_profile=b\n[profile b]\nrole_arn=c\nsource_profile=default", "circle"),
            ("[default]\nrole_arn=a\nsource_profile=gone", "gone"),
            ("[default]\nrole_arn=a\nsource_profile=b\ncredential_source=Environment", "both"),
            ("[default]\nrole_arn=a\ncredential_source=Moon", "Moon"),
            ("[default]\nrole_arn=a\nmfa_serial=m\nsource_profile=b", "mfa_serial"),
            ("[default]\nrole_arn=a\nduration_seconds=5\nsource_profile=b", "duration_seconds"),
            ("[default]\nsso_session=s", "single sign-on"), ("[default\nx=y", "line 1"), ("x=y", "line 1"),
            ("[default]\nhush", "line 2"), ("[default]\n=hush", "line 2"), (String(repeating: "\n", count: 20_001), "too many"),
        ]
    )
    func wrong(config: String, word: String) async throws {
        let error = try self.error(try await self.ask(config: config).result)
        #expect(error.kind == .failed)
        #expect(error.description.contains(word), "\(error)")
        #expect(!error.description.contains("hush"))
    }
}
