import Postgres
import TestEnvironment
import Testing

@Suite("Connecting", .timeLimit(.minutes(1)))
struct ConnectTests {
    @Test("a server that accepts and says nothing is an error within the connect timeout, and a clear one")
    func silentServer() async throws {
        let silence = try SilentServer()
        try await self.expectTimeout("postgresql://127.0.0.1:\(silence.port)/nowhere")
    }

    @Test("a host that drops packets is an error within the connect timeout, and a clear one")
    func deafServer() async throws {
        let deaf = try SilentServer(backlogFull: true)
        try await self.expectTimeout("postgresql://127.0.0.1:\(deaf.port)/nowhere")
    }

    private func expectTimeout(_ url: String) async throws {
        let configuration = PostgresConfiguration(url: url, connectTimeout: .milliseconds(300))
        let client = PostgresClient(configuration: configuration, logger: .silent)
        let run = Task { try await client.run() }
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) { try await client.query("select 1") }
        #expect(error?.code == .connection)
        #expect(error?.description.contains("did not answer within 0.3 seconds") == true, "\(String(describing: error))")
        #expect(error?.description.contains("DATABASE_URL") == true)
        #expect(ContinuousClock.now - start < atOnce)
        run.cancel()
        try await run.value
    }

    @Test("a port nobody listens on is an error within the connect timeout that says so")
    func refused() async throws {
        let configuration = PostgresConfiguration(url: "postgresql://127.0.0.1:1/nowhere", connectTimeout: .milliseconds(300))
        let client = PostgresClient(configuration: configuration, logger: .silent)
        let run = Task { try await client.run() }
        let error = await #expect(throws: PostgresError.self) { try await client.query("select 1") }
        #expect(error?.code == .connection)
        #expect(error?.description.contains("Connection refused") == true)
        run.cancel()
        try await run.value
    }

    @Test("with several hosts one that drops packets takes its share of the time, and the next is used")
    func nextHost() async throws {
        let deaf = try SilentServer(backlogFull: true)
        try await withTestDatabase { _, url in
            let place = try #require(HostAndPort(url))
            let connection = PostgresConnection(
                configuration: PostgresConfiguration(
                    url: url.replacing(place.description, with: "127.0.0.1:\(deaf.port),\(place)"),
                    connectTimeout: .seconds(8)
                )
            )
            try await connection.connect()
            let answer = try await connection.query("select 1 as one")[0]
            #expect(try answer["one", Int.self] == 1)
            await connection.close()
        }
    }

    @Test("a connection opens once")
    func reopening() async throws {
        try await withTestDatabase { _, url in
            let connection = PostgresConnection(configuration: PostgresConfiguration(url: url))
            let early = await #expect(throws: PostgresError.self) { try await connection.query("select 1") }
            #expect(early?.code == .closed)
            try await connection.connect()
            try await connection.connect()
            try await connection.query("select 1")
            await connection.close()
            for error in [
                await #expect(throws: PostgresError.self) { try await connection.query("select 1") },
                await #expect(throws: PostgresError.self) { try await connection.connect() },
            ] { #expect(error?.code == .closed) }
        }
    }

    @Test("a cancelled connect ends at once")
    func cancelled() async throws {
        let silence = try SilentServer()
        let connection = PostgresConnection(
            configuration: PostgresConfiguration(
                url: "postgresql://127.0.0.1:\(silence.port)/nowhere",
                connectTimeout: .seconds(120)
            )
        )
        let connecting = Task { try await connection.connect() }
        try await Task.sleep(for: .milliseconds(50))
        let start = ContinuousClock.now
        connecting.cancel()
        let error = await #expect(throws: PostgresError.self) { try await connecting.value }
        #expect(error?.code == .cancelled)
        #expect(ContinuousClock.now - start < atOnce)
    }
}
