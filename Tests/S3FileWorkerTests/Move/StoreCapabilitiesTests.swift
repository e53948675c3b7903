import Logging
import NIOConcurrencyHelpers
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct StoreCapabilitiesTests {
    /// How many requests the store has had.
    private final class Counter: Sendable {
        private let count = NIOLockedValueBox(0)
        var value: Int { self.count.withLockedValue { $0 } }

        var faults: Faults {
            Faults(latency: { _ in
                self.count.withLockedValue { $0 += 1 }
                return .milliseconds(5)
            })
        }
    }

    @Test func `a store is asked once by all who want to know, and remembered`() async throws {
        let counter = Counter()
        try await Storeroom.with(faults: counter.faults) { here in
            func asked() -> StoreCapabilities {
                StoreCapabilities(
                    s3: here.s3,
                    prefix: "tmp/s3file",
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                )
            }
            let one = asked()
            let before = counter.value
            let capabilities = await one.capabilities(from: here.bucket, to: here.bucket)
            let probe = counter.value - before
            #expect(probe > 5)
            for _ in 0..<10 { #expect(await one.capabilities(from: here.bucket, to: here.bucket) == capabilities) }
            #expect(await one.known(from: here.bucket, to: here.bucket) == capabilities)
            #expect(await one.capabilities(ofSource: here.bucket) == capabilities)
            #expect(counter.value == before + probe)

            let other = asked()
            #expect(await other.known(from: here.bucket, to: here.bucket) == nil)
            let answers = await withTaskGroup(of: S3Capabilities.self) { group in
                for _ in 0..<20 { group.addTask { await other.capabilities(from: here.bucket, to: here.bucket) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count == 20 && answers.allSatisfy { $0 == capabilities })
            #expect(counter.value == before + 2 * probe)
        }
    }
}
