import CoreMetrics
package import Foundation
import Postgres

extension UploadQueue {
    /// How long a worker lives after its last heartbeat.
    package static let leaseDuration = Duration.seconds(15)
    /// How often it beats.
    package static let heartbeatInterval = Duration.seconds(5)
    /// How much later than its lease's end a worker's jobs are taken away, so that clocks need not agree to the millisecond.
    package static let reapSlack = Duration.seconds(3)

    /// How often dead workers are looked for, by one process of all.
    package static let reapInterval = Duration.seconds(2)

    /// Registers a worker process and begins its lease.
    ///
    /// - Parameter queues: those that it serves; `nil` for all.
    /// - Returns: its number, never used before.
    package func register(host: String, pid: Int32, version: String, queues: [String]? = nil) async throws -> Int64 {
        let rows = try await self.client.query(
            """
            select s3file.register(
                host => \(host), pid => \(pid), version => \(version), lease => make_interval(secs => \(Self.seconds(Self.leaseDuration))),
                queues => \(queues)) as id
            """
        )
        return try rows[0]["id", Int64.self]
    }

    /// Prolongs the lease, also one that ran out while nobody could reach the database. `false` is final: it was reaped, others have the jobs,
    /// and this worker must drop its results.
    ///
    /// - Parameter report: what it says of itself; `nil` leaves slots and draining as they are, and says nothing against any bucket.
    package func beat(worker: Int64, report: WorkerReport? = nil) async throws -> Bool {
        let rows = try await self.client.query(
            """
            select s3file.beat(
                worker => \(worker), lease => make_interval(secs => \(Self.seconds(Self.leaseDuration))),
                slots => \(report.map { Int32(clamping: $0.slots) }), draining => \(report?.isDraining),
                buckets => \(report?.bucketsJSON)) as alive
            """,
            // One dead connection must not cost the lease: the next beat takes another.
            timeout: .after(.seconds(3))
        )
        return try rows[0]["alive", Bool.self]
    }

    /// Ends the lease. Jobs that it still holds are free at the next reap.
    package func unregister(worker: Int64) async throws {
        _ = try await self.client.query("select s3file.unregister(\(worker))")
    }

    /// Puts back what this worker holds by the record, and does not know of: the reply to its claim, or the settle of it, was lost.
    ///
    /// - Parameter inFlight: all that it does know of, while no claim is under way.
    package func giveBackOthers(worker: Int64, inFlight: [UUID]) async throws -> Int {
        // A request that is taken for lost may come yet, when more has been claimed: it must not count for that.
        let now = try await self.client.query("select now()", timeout: .after(.seconds(5)))[0][0, Date.self]
        return try await self.giveBackOthers(worker: worker, inFlight: inFlight, asOf: now)
    }

    /// - Parameter asOf: what was claimed after this moment, by Postgres's clock, is left alone.
    package func giveBackOthers(worker: Int64, inFlight: [UUID], asOf: Date) async throws -> Int {
        let count = try await self.client.query(
            "select s3file.give_back_others(worker => \(worker), in_flight => \(inFlight), as_of => \(asOf)) as count",
            timeout: .after(.seconds(5))
        )[0]["count", Int.self]
        self.metrics.putBack.increment(by: count)
        return count
    }

    /// Ends leases that ran out, and takes the jobs of dead workers back into the queue; those that have used up their attempts end as failed.
    ///
    /// - Parameter slack: how much later than a lease's end.
    /// - Returns: how many were taken back, at most 500 at a time.
    package func reap(slack: Duration = Self.reapSlack, sinceServerStart: Duration = Self.leaseDuration) async throws -> Int {
        let count = try await self.client.query(
            """
            select s3file.reap(slack => make_interval(secs => \(Self.seconds(slack))),
                               lease => make_interval(secs => \(Self.seconds(sinceServerStart)))) as count
            """
        )[0]["count", Int.self]
        self.metrics.reaped.increment(by: count)
        return count
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}
