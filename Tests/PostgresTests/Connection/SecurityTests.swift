import Postgres
import TestEnvironment
import Testing

/// TLS and passwords are libpq's own, by parameters of the URL. The role `app` must come with both.
@Suite("TLS and passwords", .timeLimit(.minutes(2)))
struct SecurityTests {
    private struct Server: Sendable {
        var cluster: TestCluster
        var certificates: TestCertificates

        func url(user: String = "app:right%20secret", _ parameters: String) -> String {
            "postgresql://\(user)@127.0.0.1:\(self.cluster.port)/postgres?\(parameters)"
        }
    }

    private func withServer(_ body: (Server) async throws -> Void) async throws {
        try await ServerUser.withFolder { folder in
            let certificates = try await TestCertificates(in: folder)
            try await TestCluster.with(
                settings: [
                    "ssl = on", "ssl_cert_file = '\(certificates.certificate)'", "ssl_key_file = '\(certificates.key)'",
                ],
                access: ["host all postgres 127.0.0.1/32 trust", "hostssl all app 127.0.0.1/32 scram-sha-256"]
            ) { cluster in
                try await self.withConnection(cluster.url) {
                    try await $0.query("create role app login password 'right secret'")
                }
                try await body(Server(cluster: cluster, certificates: certificates))
            }
        }
    }

    @discardableResult
    private func withConnection<R: Sendable>(_ url: String, _ body: (PostgresConnection) async throws -> R) async throws -> R {
        let connection = PostgresConnection(configuration: PostgresConfiguration(url: url))
        try await connection.connect()
        let result: Result<R, any Error>
        do { result = .success(try await body(connection)) } catch { result = .failure(error) }
        await connection.close()
        return try result.get()
    }

    private func expectRefusal(_ url: String) async -> PostgresError? {
        let configuration = PostgresConfiguration(url: url, connectTimeout: .seconds(120))
        let client = PostgresClient(configuration: configuration, logger: .silent)
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) {
            try await client.whileRunning { try await client.query("select 1") }
        }
        // It is told at once, not when patience ends.
        #expect(ContinuousClock.now - start < atOnce)
        for secret in ["right", "wrong", "secret"] { #expect(error?.description.contains(secret) == false) }
        return error
    }

    @Test("with TLS required or verified statements run encrypted, and so do pipelines and cancellations")
    func encrypted() async throws {
        try await self.withServer { server in
            for mode in [
                "require", "verify-ca&sslrootcert=\(server.certificates.authority)",
                "verify-full&sslrootcert=\(server.certificates.authority)",
            ] {
                let client = PostgresClient(
                    configuration: PostgresConfiguration(url: server.url("sslmode=\(mode)"), maximumConnections: 1),
                    logger: .silent
                )
                try await client.whileRunning {
                    let rows = try await client.query(
                        "select ssl, version, pid, current_user::text as role from pg_stat_ssl where pid = pg_backend_pid()"
                    )
                    #expect(try rows[0]["ssl", Bool.self])
                    #expect(try rows[0]["version", String.self].hasPrefix("TLSv1."))
                    #expect(try rows[0]["role", String.self] == "app")
                    let text = String(repeating: "x", count: 20_000)
                    let results = try await client.pipeline((0..<200).map { "select \($0) as n, \(text) as text" })
                    #expect(results.count == 200)
                    for _ in 0..<5 {
                        let statement = Task { try await client.query("select pg_sleep(60)") }
                        try await Task.sleep(for: .milliseconds(20))
                        statement.cancel()
                        let error = await #expect(throws: PostgresError.self) { try await statement.value }
                        #expect(error?.code == .cancelled)
                    }
                    let after = try await client.pid()
                    #expect(try after == rows[0]["pid", Int32.self])
                }
            }
        }
    }

    @Test(
        "a certificate of another authority, one for another host, and a missing authority are refused at once, with what to look at"
    )
    func certificates() async throws {
        try await self.withServer { server in
            for parameters in [
                "sslmode=verify-full&sslrootcert=\(server.certificates.otherAuthority)",
                "sslmode=verify-full&sslrootcert=\(server.cluster.folder)/missing.crt",
            ] {
                let error = await self.expectRefusal(server.url(parameters))
                #expect(error?.code == .configuration)
                #expect(error?.description.contains("certificate") == true)
                #expect(error?.description.contains("sslrootcert") == true)
            }
            let named = server.url("sslmode=verify-full&sslrootcert=\(server.certificates.authority)&hostaddr=127.0.0.1")
            let elsewhere = await self.expectRefusal(named.replacing("@127.0.0.1:", with: "@db.example.org:"))
            #expect(elsewhere?.code == .configuration)
            #expect(elsewhere?.description.contains("db.example.org") == true)
        }
    }

    @Test(
        "a wrong password, a role that does not exist and a connection without TLS are refused at once, and no secret is repeated"
    )
    func passwords() async throws {
        try await self.withServer { server in
            let wrong = await self.expectRefusal(server.url(user: "app:wrong%20secret", "sslmode=require"))
            #expect(wrong?.code == .connection)
            #expect(wrong?.sqlState == "28P01")
            let nobody = await self.expectRefusal(server.url(user: "nobody:wrong", "sslmode=require"))
            #expect(nobody?.code == .connection)
            #expect(nobody?.sqlState?.hasPrefix("28") == true)
            let plain = await self.expectRefusal(server.url("sslmode=disable"))
            #expect(plain?.sqlState == "28000")
            #expect(plain?.description.contains("no encryption") == true)
        }
    }

    @Test("a server without TLS is refused at once where TLS is required")
    func required() async throws {
        try await TestCluster.with { cluster in
            let error = await self.expectRefusal(cluster.url + "?sslmode=require")
            #expect(error?.code == .configuration)
            #expect(error?.description.contains("does not support SSL") == true)
            #expect(error?.description.contains("sslmode") == true)
        }
    }
}
