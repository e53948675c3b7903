import Logging
import S3File

/// What keeps the table and the bucket tidy, beside the moves: jobs of dead workers go back, stale tmp objects go away.
struct Housekeeping: Sendable {
    static let reapInterval = Duration.seconds(5)

    let connections: Connections
    let options: WorkerPool.Options
    let logger: Logger

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.reap() }
            group.addTask { await self.sweep() }
        }
    }

    /// After losing the database it waits one lease before it reaps: the others lost it as well, and must be given time to beat again.
    private func reap() async {
        var pause = Self.reapInterval
        while (try? await Task.sleep(for: pause * Double.random(in: 0.8...1.2))) != nil {
            do {
                let count = try await self.connections.queue.reap()
                if count > 0 { self.logger.warning("Jobs of dead workers were taken back", metadata: ["count": "\(count)"]) }
                pause = Self.reapInterval
            } catch {
                pause = UploadQueue.leaseDuration
            }
        }
    }

    /// One process of all sweeps, when it is time: whoever takes the turn in Postgres.
    private func sweep() async {
        let sweeper = Sweeper(connections: self.connections, logger: self.logger)
        while (try? await Task.sleep(for: min(self.options.sweepInterval, .seconds(60)) * Double.random(in: 0.8...1.2))) != nil {
            do {
                guard try await self.connections.queue.takeTurn("sweep", every: self.options.sweepInterval) else { continue }
                _ = try await sweeper.sweep()
            } catch {
                self.logger.warning("A sweep failed; the next one will go on", metadata: ["error": "\(error)"])
            }
        }
    }
}
