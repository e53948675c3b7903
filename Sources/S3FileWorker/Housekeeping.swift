import Foundation
import Logging
import S3
import S3File

/// What keeps the tables and the bucket tidy, beside the moves: jobs of dead workers go back, stale tmp objects and old records go away. Each of
/// it is done by one process of all, whichever takes the turn in Postgres.
struct Housekeeping: Sendable {
    static let pruneInterval = Duration.seconds(3600)
    static let pruneBatch = 5_000

    let connections: Connections
    let options: WorkerPool.Options
    var metrics = WorkerMetrics()
    let logger: Logger

    /// - Parameter jobsCameBack: is called when jobs of dead workers wait again.
    func run(jobsCameBack: @escaping @Sendable () -> Void) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.reap(jobsCameBack) }
            group.addTask { await self.sweep() }
            group.addTask { await self.giveUpMoves() }
            group.addTask { await self.prune() }
        }
    }

    private static func sleep(_ duration: Duration) async -> Bool {
        (try? await Task.sleep(for: duration * Double.random(in: 0.8...1.2))) != nil
    }

    // MARK: Dead workers

    /// Only who has had the database for a whole lease reaps: when it was away, the others lost it as well, and must be given time to beat again.
    private func reap(_ jobsCameBack: () -> Void) async {
        var contact = Contact()
        while await Self.sleep(UploadQueue.reapInterval) {
            do {
                let isTurn = try await self.connections.queue.takeTurn("reap", every: UploadQueue.reapInterval)
                contact.worked(at: .now)
                guard isTurn, contact.hasLasted(UploadQueue.leaseDuration, now: .now) else { continue }
                var count = 0
                repeat {
                    count = try await self.connections.queue.reap()
                    if count > 0 {
                        self.logger.warning("Jobs of dead workers were taken back", metadata: ["count": "\(count)"])
                        jobsCameBack()
                    }
                } while count > 0
            } catch {
                contact.failed()
            }
        }
    }

    // MARK: Stale tmp objects

    private func sweep() async {
        let sweeper = Sweeper(connections: self.connections, logger: self.logger)
        while await Self.sleep(min(self.options.sweepInterval, .seconds(60))) {
            do {
                if let summary = try await sweeper.sweepInTurn(every: self.options.sweepInterval) { self.metrics.swept(summary) }
            } catch {
                self.metrics.sweepFailed()
                self.logger.warning("A sweep failed; the next one will go on", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Copies in parts that nobody goes on with

    private var abandonedMoves: AbandonedMoves {
        AbandonedMoves(s3: self.connections.s3, queue: self.connections.queue, logger: self.logger)
    }

    private func giveUpMoves() async {
        while await Self.sleep(AbandonedMoves.interval) {
            do {
                guard try await self.connections.queue.takeTurn("moves", every: AbandonedMoves.interval) else { continue }
                try await self.abandonedMoves.giveUp()
            } catch {
                self.logger.debug("Abandoned copies could not be given up", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Old records

    private func prune() async {
        while await Self.sleep(.seconds(60)) {
            do {
                guard try await self.connections.queue.takeTurn("prune", every: Self.pruneInterval) else { continue }
                let (records, events) = try await self.pruneOnce()
                if records + events > 0 {
                    self.logger.info("Old records were deleted", metadata: ["uploads": "\(records)", "events": "\(events)"])
                }
            } catch {
                self.logger.warning("Pruning old records failed; the next turn will go on", metadata: ["error": "\(error)"])
            }
        }
    }

    /// One pass over what is old enough, in batches, with pauses that leave most of the time to others.
    ///
    /// - Returns: how many records of uploads went, and how many entries of the event table.
    func pruneOnce() async throws -> (records: Int, events: Int) {
        let retention = self.connections.configuration.retention
        let queue = self.connections.queue
        var (records, events) = (0, 0)
        if retention.stored != nil || retention.unstored != nil {
            var after: UUID?
            repeat {
                let start = ContinuousClock.now
                let (next, pruned) = try await queue.prune(
                    storedFor: retention.stored,
                    unstoredFor: retention.unstored,
                    after: after,
                    limit: Self.pruneBatch
                )
                records += pruned
                after = next
                if next != nil { try await Self.rest(since: start) }
            } while after != nil
        }
        if let age = retention.events {
            while true {
                let start = ContinuousClock.now
                let pruned = try await queue.pruneEvents(olderThan: age, limit: Self.pruneBatch)
                events += pruned
                if pruned < Self.pruneBatch { break }
                try await Self.rest(since: start)
            }
        }
        return (records, events)
    }

    /// Four times as long as the batch took.
    private static func rest(since start: ContinuousClock.Instant) async throws {
        try await Task.sleep(for: max(.milliseconds(20), (ContinuousClock.now - start) * 4))
    }
}

/// Since when this process has had the database, without a gap, as far as it can tell.
struct Contact {
    /// Longer without an answer is a gap: then this process itself was stopped, and knows nothing of the time between.
    static let longestSilence = Duration.seconds(5)

    private var since: ContinuousClock.Instant?
    private var lastAnswer: ContinuousClock.Instant?

    mutating func worked(at now: ContinuousClock.Instant) {
        if let lastAnswer, now - lastAnswer > Self.longestSilence { self.since = nil }
        if self.since == nil { self.since = now }
        self.lastAnswer = now
    }

    mutating func failed() {
        self.since = nil
    }

    func hasLasted(_ duration: Duration, now: ContinuousClock.Instant) -> Bool {
        self.since.map { now - $0 >= duration } ?? false
    }
}
