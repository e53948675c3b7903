import Testing

@testable import S3

@Suite("Endpoints")
struct S3EndpointTests {
    func configuration(
        _ endpoint: String?,
        _ addressing: S3Configuration.Addressing? = nil,
        region: String = "eu-west-3"
    ) -> S3Configuration {
        S3Configuration(
            endpoint: endpoint,
            region: region,
            addressing: addressing,
            credentials: StaticCredentials(accessKeyID: "a", secretAccessKey: "b")
        )
    }

    func url(_ configuration: S3Configuration, bucket: String = "bucket", key: String? = "k") throws -> String {
        try S3Endpoint(configuration.endpoint, configuration: configuration).target(bucket: bucket, key: key).url()
    }

    @Test("AWS is addressed by virtual host, a custom endpoint by path, unless told otherwise")
    func addressing() throws {
        #expect(try self.url(self.configuration(nil)) == "https://bucket.s3.eu-west-3.amazonaws.com/k")
        #expect(try self.url(self.configuration(nil), key: nil) == "https://bucket.s3.eu-west-3.amazonaws.com/")
        #expect(
            try self.url(self.configuration(nil), bucket: "dotted.bucket") == "https://s3.eu-west-3.amazonaws.com/dotted.bucket/k"
        )
        #expect(try self.url(self.configuration(nil, region: "cn-north-1")) == "https://bucket.s3.cn-north-1.amazonaws.com.cn/k")
        #expect(try self.url(self.configuration("http://127.0.0.1:9000")) == "http://127.0.0.1:9000/bucket/k")
        #expect(try self.url(self.configuration("http://127.0.0.1:9000"), key: nil) == "http://127.0.0.1:9000/bucket")
        #expect(try self.url(self.configuration("http://localhost:9000/", .virtualHost)) == "http://bucket.localhost:9000/k")
        #expect(try self.url(self.configuration(nil, .path)) == "https://s3.eu-west-3.amazonaws.com/bucket/k")
    }

    @Test(
        "The authority leaves out the scheme's own port",
        arguments: [
            ("https://S3.Example.COM:443", "s3.example.com"), ("http://s3.example.com:80", "s3.example.com"),
            ("http://s3.example.com:443", "s3.example.com:443"), ("HTTP://[::1]:9000", "[::1]:9000"),
            ("https://[fe80::1]", "[fe80::1]"),
        ]
    )
    func authority(endpoint: String, authority: String) throws {
        let configuration = self.configuration(endpoint)
        #expect(try S3Endpoint(endpoint, configuration: configuration).authority == authority)
    }

    @Test(
        "An endpoint that is none is refused with a sentence that shows one",
        arguments: [
            "", "127.0.0.1:9000", "ftp://a", "http://", "http:///", "http://a/b", "http://a?b", "http://a#b", "http://a b",
            "http://a:b",
            "http://a:0", "http://a:65536", "http://a:+80", "http://a:", "http://[::1", "http://[x]", "http://[::1]9",
            "http://a:1:2", "http://é",
        ]
    )
    func invalid(endpoint: String) {
        let error = #expect(throws: S3Error.self) { try self.configuration(endpoint).validate() }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains("http://127.0.0.1:9000") == true)
    }

    @Test("A password in an endpoint is refused and not repeated")
    func password() {
        let error = #expect(throws: S3Error.self) { try self.configuration("http://user:hush@a").validate() }
        #expect(error?.code == .configuration)
        #expect(error.map { "\($0)".contains("hush") } == false)
    }

    @Test("The public endpoint is checked too, and the region")
    func others() {
        var configuration = self.configuration("http://a")
        configuration.publicEndpoint = "nowhere"
        #expect(throws: S3Error.self) { try configuration.validate() }
        #expect(throws: S3Error.self) { try self.configuration(nil, region: "").validate() }
        #expect(throws: S3Error.self) { try self.configuration(nil, region: "evil.com/").validate() }
        #expect(throws: Never.self) { try self.configuration(nil).validate() }
    }

    @Test(
        "A bucket's name cannot lead a request elsewhere",
        arguments: [
            "", "ab", "a/b", "..", "...", "a..b", ".aa", "a b c", "a?b", "a#b", "a%2Fb", "a@b", "a:b",
            String(repeating: "a", count: 256),
        ]
    )
    func buckets(bucket: String) {
        #expect(throws: S3Error.self) { try self.url(self.configuration("http://a"), bucket: bucket) }
    }

    @Test("A request about an object cannot become one about its bucket, nor exceed S3's length")
    func keys() throws {
        let endpoint = self.configuration("http://a")
        #expect(throws: S3Error.self) { try self.url(endpoint, key: "") }
        #expect(throws: S3Error.self) { try self.url(endpoint, key: String(repeating: "é", count: 513)) }
        #expect(try self.url(endpoint, key: String(repeating: "x", count: 1024)).hasSuffix("x"))
        #expect(try self.url(endpoint, key: "//a/../b/./?#%") == "http://a/bucket///a/../b/./%3F%23%25")
    }

    @Test("Credentials come from the environment, and a missing one is named")
    func environment() async throws {
        let credentials = try await EnvironmentCredentials(
            environment: ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"]
        ).credentials()
        #expect(credentials == S3Credentials(accessKeyID: "a", secretAccessKey: "b", sessionToken: "c"))
        for (environment, name, kind) in [
            (["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": ""], "AWS_SECRET_ACCESS_KEY", CredentialsError.Kind.failed),
            (["AWS_SECRET_ACCESS_KEY": "b"], "AWS_ACCESS_KEY_ID", .failed), ([:], "AWS_ACCESS_KEY_ID", .absent),
            (["AWS_ACCESS_KEY_ID": "a\nb", "AWS_SECRET_ACCESS_KEY": "b"], "access key id", .failed),
        ] {
            let error = await #expect(throws: CredentialsError.self) {
                try await EnvironmentCredentials(environment: environment).credentials()
            }
            #expect(error?.kind == kind)
            #expect(error?.description.contains(name) == true)
        }
    }
}
