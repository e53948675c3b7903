import Logging
import S3File

/// Keeps up to `concurrency` jobs in flight: claims when there is room and a reason to look, and ends when asked to.
struct Dispatcher {
    private enum Event {
        case rang, jobEnded, drainTimeIsOver
    }

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
            var inFlight = 0
            var draining = false
            group.addTask { await self.waitForBell() }
            while let event = await group.next() {
                switch event {
                case .jobEnded: inFlight -= 1
                case .rang: if !group.isCancelled { group.addTask { await self.waitForBell() } }
                case .drainTimeIsOver: group.cancelAll()
                }
                if Task.isCancelled || self.stop.isRequested {
                    if inFlight == 0 { break }
                    if !draining {
                        draining = true
                        group.addTask {
                            try? await Task.sleep(for: self.drainTimeout)
                            return .drainTimeIsOver
                        }
                    }
                    continue
                }
                for job in await self.claim(room: self.concurrency - inFlight) {
                    inFlight += 1
                    group.addTask {
                        await perform(job)
                        return .jobEnded
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
    private func claim(room: Int) async -> [Job] {
        guard room > 0, room >= self.concurrency / 4, self.lease.isHeld() else { return [] }
        do {
            let jobs = try await self.queue.claim(worker: self.lease.worker, limit: room)
            if jobs.count == room { self.bell.ring() }
            return jobs
        } catch {
            if !Task.isCancelled { self.logger.warning("A claim failed; trying again", metadata: ["error": "\(error)"]) }
            return []
        }
    }
}
