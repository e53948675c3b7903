import Foundation
import Logging
import S3File

/// Keeps up to `concurrency` jobs in flight: claims when there is room and a reason to look, and ends when asked to.
struct Dispatcher {
    private enum Event {
        case rang, drainTimeIsOver
        case jobEnded(UUID)
    }

    /// How often what the record says of this worker is compared with what it knows.
    static let comparisonInterval = Duration.seconds(10)

    let queue: UploadQueue
    let lease: WorkerLease
    let concurrency: Int
    let drainTimeout: Duration
    let bell: Doorbell
    let stop: StopRequest
    let logger: Logger

    /// - Parameter perform: moves and settles one job; it ends soon after its task is cancelled.
    func run(_ perform: @escaping @Sendable (Job) async -> Void) async {
        await withTaskGroup(of: Event.self) { group in
            var inFlight: Set<UUID> = []
            var comparedAt = ContinuousClock.now
            var claimIsUnclear = false
            var draining = false
            group.addTask { await self.waitForBell() }
            while let event = await group.next() {
                switch event {
                case .jobEnded(let id): inFlight.remove(id)
                case .rang: if !group.isCancelled { group.addTask { await self.waitForBell() } }
                case .drainTimeIsOver: group.cancelAll()
                }
                if Task.isCancelled || self.stop.isRequested {
                    if inFlight.isEmpty { break }
                    if !draining {
                        draining = true
                        group.addTask {
                            try? await Task.sleep(for: self.drainTimeout)
                            return .drainTimeIsOver
                        }
                    }
                    continue
                }
                if claimIsUnclear || ContinuousClock.now - comparedAt > Self.comparisonInterval {
                    guard await self.giveBackUnknown(inFlight) else { continue }
                    (claimIsUnclear, comparedAt) = (false, .now)
                }
                guard let jobs = await self.claim(room: self.concurrency - inFlight.count) else {
                    claimIsUnclear = true
                    continue
                }
                for job in jobs {
                    inFlight.insert(job.id)
                    group.addTask {
                        await perform(job)
                        return .jobEnded(job.id)
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func waitForBell() async -> Event {
        await self.bell.wait()
        return .rang
    }

    /// As many as there is room for, but not one by one: a claim for each slot that falls free would cost a commit each.
    ///
    /// - Returns: `nil` when it failed: it may have taken effect all the same.
    private func claim(room: Int) async -> [Job]? {
        guard room > 0, room >= self.concurrency / 4, self.lease.isHeld() else { return [] }
        do {
            let jobs = try await self.queue.claim(worker: self.lease.worker, room: room, queues: nil, lanes: nil)
            if jobs.count == room { self.bell.ring() }
            return jobs
        } catch {
            if !Task.isCancelled {
                let cause = await self.queue.cause(of: error)
                self.logger.warning("A claim failed; trying again", metadata: ["error": "\(cause)"])
            }
            return nil
        }
    }

    /// A claim or a settle whose reply was lost may leave jobs with a worker that knows nothing of them, and lives. Only the dispatcher
    /// claims, so what is in flight is exact here.
    private func giveBackUnknown(_ inFlight: Set<UUID>) async -> Bool {
        do {
            let count = try await self.queue.giveBackOthers(worker: self.lease.worker, inFlight: Array(inFlight))
            if count > 0 {
                self.logger.info("Jobs whose claim or settle went astray were put back", metadata: ["count": "\(count)"])
            }
            return true
        } catch {
            return false
        }
    }
}
