import Foundation
import Logging
import NIOConcurrencyHelpers
import TestEnvironment
import Testing

@testable import S3

@Suite("Credentials that are renewed", .timeLimit(.minutes(1)))
struct RefreshingCredentialsTests {
    /// A source whose answers come when the test says so.
    final class Source: S3CredentialsProvider {
        struct Failure: Error {}

        let calls = NIOLockedValueBox(0)
        private let answers = NIOLockedValueBox<[Result<S3Credentials, any Error>]>([])

        func credentials() async throws -> S3Credentials {
            self.calls.withLockedValue { $0 += 1 }
            while true {
                if let answer = self.answers.withLockedValue({ $0.isEmpty ? nil : $0.removeFirst() }) { return try answer.get() }
                try await Task.sleep(for: .milliseconds(2))
            }
        }

        func give(_ id: String, ends: Date?) {
            let credentials = S3Credentials(accessKeyID: id, secretAccessKey: "s", sessionToken: "t", expiration: ends)
            self.answers.withLockedValue { $0.append(.success(credentials)) }
        }

        func fail() {
            self.answers.withLockedValue { $0.append(.failure(Failure())) }
        }
    }

    /// A clock that the test moves.
    final class Clock: Sendable {
        private let date = NIOLockedValueBox(Date(timeIntervalSince1970: 1_800_000_000))
        var now: Date { self.date.withLockedValue { $0 } }
        func advance(_ seconds: TimeInterval) { self.date.withLockedValue { $0 += seconds } }
    }

    let source = Source()
    let clock = Clock()

    func provider(_ base: (any S3CredentialsProvider)? = nil) -> RefreshingCredentials {
        RefreshingCredentials(base ?? self.source, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })) {
            [clock] in
            clock.now
        }
    }

    var calls: Int { self.source.calls.withLockedValue { $0 } }

    func untilCalled(_ times: Int) async throws {
        try await eventually("the source is asked") { self.calls >= times }
    }

    @Test("Many callers ask once, and keys without an end are never asked for again")
    func singleFlight() async throws {
        let provider = self.provider()
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { try await provider.credentials().accessKeyID } }
            try await self.untilCalled(1)
            try await Task.sleep(for: .milliseconds(50))
            self.source.give("A", ends: nil)
            for try await id in group { #expect(id == "A") }
        }
        self.clock.advance(1e9)
        #expect(try await provider.credentials().accessKeyID == "A")
        #expect(self.calls == 1)
    }

    @Test("Some minutes before the end one caller renews, while the others go on with the old ones")
    func early() async throws {
        let provider = self.provider()
        self.source.give("A", ends: self.clock.now + 3600)
        #expect(try await provider.credentials().accessKeyID == "A")
        self.clock.advance(3600 - 370)
        #expect(try await provider.credentials().accessKeyID == "A")
        #expect(self.calls == 1)
        self.clock.advance(75)
        async let renewed = provider.credentials().accessKeyID
        try await self.untilCalled(2)
        for _ in 0..<20 { #expect(try await provider.credentials().accessKeyID == "A") }
        self.source.give("B", ends: self.clock.now + 3600)
        #expect(try await renewed == "B")
        #expect(try await provider.credentials().accessKeyID == "B")
        #expect(self.calls == 2)
    }

    @Test("A failed renewal leaves the old ones for as long as they live, and is not repeated at every request")
    func failure() async throws {
        let provider = self.provider()
        self.source.give("A", ends: self.clock.now + 3600)
        _ = try await provider.credentials()
        self.clock.advance(3600 - 200)
        self.source.fail()
        #expect(try await provider.credentials().accessKeyID == "A")
        for _ in 0..<20 { #expect(try await provider.credentials().accessKeyID == "A") }
        #expect(self.calls == 2)
        // The pause is 30 seconds, and half of that to and fro.
        self.clock.advance(46)
        self.source.fail()
        #expect(try await provider.credentials().accessKeyID == "A")
        #expect(self.calls == 3)
        self.clock.advance(300)
        self.source.fail()
        await #expect(throws: Source.Failure.self) { try await provider.credentials() }
        // Within a second it is everybody's answer.
        await #expect(throws: Source.Failure.self) { try await provider.credentials() }
        #expect(self.calls == 4)
        self.clock.advance(2)
        self.source.give("B", ends: self.clock.now + 3600)
        #expect(try await provider.credentials().accessKeyID == "B")
    }

    @Test("A failure is told to all who wait")
    func failureOfAll() async throws {
        let provider = self.provider()
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do { _ = try await provider.credentials(); return false } catch { return error is Source.Failure }
                }
            }
            try? await self.untilCalled(1)
            try? await Task.sleep(for: .milliseconds(50))
            self.source.fail()
            for await failed in group { #expect(failed) }
        }
        #expect(self.calls == 1)
    }

    @Test("A cancelled caller hands the task on, and a cancelled waiter leaves")
    func cancellation() async throws {
        let provider = self.provider()
        let leader = Task { try await provider.credentials() }
        try await self.untilCalled(1)
        let waiters = (0..<10).map { _ in Task { try await provider.credentials().accessKeyID } }
        let gone = Task { try await provider.credentials().accessKeyID }
        try await Task.sleep(for: .milliseconds(50))
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
        leader.cancel()
        await #expect(throws: CancellationError.self) { try await leader.value }
        try await self.untilCalled(2)
        self.source.give("A", ends: nil)
        for waiter in waiters { #expect(try await waiter.value == "A") }
        #expect(self.calls == 2)
    }

    @Test("Credentials that S3 calls ended are renewed, but not again and again")
    func discarded() async throws {
        let provider = self.provider()
        self.source.give("A", ends: self.clock.now + 3600)
        let first = try await provider.credentials()
        #expect(!provider.discard(first))
        self.clock.advance(11)
        #expect(provider.discard(first))
        self.source.give("B", ends: self.clock.now + 3600)
        let second = try await provider.credentials()
        #expect(second.accessKeyID == "B")
        #expect(provider.discard(first))
        #expect(!provider.discard(second))
        #expect(try await provider.credentials() == second)
        #expect(self.calls == 2)
    }

    @Test("Credentials that come ended are a failure that names the clock")
    func ended() async throws {
        self.source.give("A", ends: self.clock.now - 1)
        let error = await #expect(throws: CredentialsError.self) { try await self.provider().credentials() }
        #expect(error?.reason.contains("clock") == true)
    }

    @Test("From a real endpoint: renewed before they end, kept while it fails, told of when they have ended")
    func endpoint() async throws {
        let answers: [ScriptedServer.Answer] = [
            .status("200 OK", IssuedCredentials.json("FIRST", ends: self.clock.now + 3600)), .status("404 Not Found"),
            .status("200 OK", IssuedCredentials.json("SECOND", ends: self.clock.now + 7200)), .status("404 Not Found"),
        ]
        try await IssuedCredentials.with(answers) { server, transport async throws in
            let endpoint = ContainerCredentials(
                environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/"],
                transport: transport
            )
            let provider = self.provider(endpoint)
            #expect(try await provider.credentials().accessKeyID == "FIRST")
            self.clock.advance(3600 - 200)
            for _ in 0..<3 { #expect(try await provider.credentials().accessKeyID == "FIRST") }
            #expect(server.requests.count == 2)
            // The pause after a failure.
            self.clock.advance(46)
            for _ in 0..<3 { #expect(try await provider.credentials().accessKeyID == "SECOND") }
            #expect(server.requests.count == 3)
            self.clock.advance(3600 + 200)
            let error = await #expect(throws: CredentialsError.self) { try await provider.credentials() }
            #expect(error?.reason.contains("404") == true)
            #expect(server.requests.count == 4)
        }
    }
}
