import TestEnvironment
import Testing

@testable import S3

@Suite("The budget of repetitions", .timeLimit(.minutes(1)))
struct RetryBudgetTests {
    @Test("Repetitions are paid for, more after a timeout, and earned back by successes")
    func prices() throws {
        let budget = RetryBudget()
        #expect(budget.remaining == 500)
        #expect(budget.pay(for: S3Error(.slowDown, status: 503, message: "")) == 5)
        #expect(budget.pay(for: S3Error(.timedOut, status: 0, message: "")) == 10)
        #expect(budget.remaining == 485)
        budget.earn(paid: 10)
        budget.earn(paid: 0)
        #expect(budget.remaining == 496)
        for _ in 0..<10 { budget.earn(paid: 0) }
        #expect(budget.remaining == 500)
        for _ in 0..<100 { #expect(budget.pay(for: S3Error(.slowDown, status: 503, message: "")) == 5) }
        #expect(budget.pay(for: S3Error(.slowDown, status: 503, message: "")) == nil)
        #expect(budget.remaining == 0)
    }

    @Test("In an outage a client soon sends each request once, and afterwards repeats again")
    func outage() async throws {
        var answers = Array(repeating: ScriptedServer.Answer.status("500 Oops"), count: 200)
        answers += [UnreliableStoreTests.head]
        try await ScriptedServer.with(answers) { server in
            try await TestStore.withClient(
                UnreliableStoreTests.configuration(server.endpoint),
                retry: S3RetryPolicy(baseDelay: .microseconds(10))
            ) { client, _ in
                // Fifty requests of three attempts spend it all.
                for _ in 0..<50 { _ = try? await client.headObject(bucket: "bucket", key: "k") }
                #expect(server.requests.count == 150)
                #expect(client.budget.remaining == 0)
                for _ in 0..<50 { _ = try? await client.headObject(bucket: "bucket", key: "k") }
                #expect(server.requests.count == 200)
                for _ in 0..<5 { _ = try await client.headObject(bucket: "bucket", key: "k") }
                #expect(client.budget.remaining == 5)
            }
        }
    }
}
