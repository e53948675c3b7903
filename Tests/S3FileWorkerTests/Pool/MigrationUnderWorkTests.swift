import Foundation
import Logging
import Postgres
import S3
import S3DevServer
import ServiceLifecycle
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

/// The tables change while a worker moves files.
@Suite struct MigrationUnderWorkTests {
    @Test func `a worker under which the tables go back to version 1 and up again stores every file once`() async throws {
        // Long enough for some to be left when the tables have gone back: an index is dropped when nobody uses it.
        let faults = Faults(latency: { $0.isMove ? .seconds(1) : .zero })
        try await Storeroom.with(faults: faults) { here in
            let count = 150
            for index in 0..<count { _ = try await here.upload("file \(index)", key: "docs/\(index).txt") }
            let pool = try WorkerPool(configuration: here.connections.configuration, logger: .quiet)
            let group = ServiceGroup(services: [pool], logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                let stored: @Sendable () async throws -> Int64 = {
                    try await here.queue.client.query(
                        "select count(*) as n from s3file.upload_status where status = 'stored'"
                    )[0]["n", Int64.self]
                }
                let result: Result<Void, any Error>
                do {
                    try await eventually("some are stored") { try await stored() >= 10 }
                    let migrator = Migrator.uploads(here.queue.client)
                    _ = try await migrator.revert(to: 1, logger: .quiet)
                    #expect(try await stored() < Int64(count))
                    // The worker meets the old tables.
                    try await Task.sleep(for: .seconds(1))
                    _ = try await migrator.apply(logger: .quiet)
                    try await eventually("all are stored", within: .seconds(60)) { try await stored() == Int64(count) }
                    try await eventually("nothing is left in tmp", within: .seconds(90)) {
                        try await here.keys(prefix: "tmp/").isEmpty
                    }
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                try result.get()
            }
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys.count == count)
            for index in 0..<count {
                let text = try await here.text(at: "docs/\(index).txt")
                #expect(text == "file \(index)")
            }
        }
    }
}
