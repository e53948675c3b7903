import CoreMetrics
import Foundation
import Logging
import NIOConcurrencyHelpers
import S3File

/// Deletes the tmp objects of stored uploads, many in one request. It is told of them only after `stored` is durable.
///
/// What a crash leaves behind is found again in the record, so nothing depends on this process remembering.
final class TmpDeletion: Sendable {
    /// S3 takes no more keys in one DeleteObjects.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
    static let batchSize = 1_000
    static let gatherTime = Duration.milliseconds(200)
    static let concurrentRequests = 4
    /// How often, and how old, leftovers are looked for.
    static let leftoverInterval = Duration.seconds(20)
    static let leftoverBatches = 20

    private struct Pending {
        /// By settles, so that the record of each can go as a whole.
        var groups: [[TmpObject]] = []
        var count = 0
    }

    private let work: any StoreWork
    private let queue: UploadQueue
    private let metrics: WorkerMetrics
    private let logger: Logger
    private let pending = NIOLockedValueBox(Pending())
    private let doorbell = Doorbell()

    init(work: any StoreWork, queue: UploadQueue, metrics: WorkerMetrics = WorkerMetrics(), logger: Logger) {
        self.work = work
        self.metrics = metrics
        self.queue = queue
        self.logger = logger
    }

    /// - Parameter objects: of one settle.
    func add(_ objects: [TmpObject]) {
        guard !objects.isEmpty else { return }
        let isNews = self.pending.withLockedValue { pending in
            // A bound on memory: beyond it the record remembers alone.
            guard pending.count < Self.batchSize * 20 else { return false }
            let before = pending.count
            pending.groups.append(objects)
            pending.count += objects.count
            return before == 0 || (before < Self.batchSize && pending.count >= Self.batchSize)
        }
        if isNews { self.doorbell.ring() }
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    await self.doorbell.wait()
                    if self.pending.withLockedValue({ $0.count < Self.batchSize }) {
                        await self.doorbell.wait(until: .now + Self.gatherTime)
                    }
                    await self.flush()
                }
            }
            group.addTask {
                while (try? await Task.sleep(for: Self.leftoverInterval * Double.random(in: 0.8...1.2))) != nil {
                    await self.deleteLeftovers(olderThan: Self.leftoverInterval)
                }
            }
        }
    }

    /// Deletes what is pending now.
    func flush() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<Self.concurrentRequests {
                group.addTask {
                    while !Task.isCancelled, let batch = self.takeBatch() { await self.delete(batch) }
                }
            }
        }
    }

    private func takeBatch() -> [TmpObject]? {
        self.pending.withLockedValue { pending in
            var batch: [TmpObject] = []
            let end = pending.groups.firstIndex { group in
                guard batch.isEmpty || batch.count + group.count <= Self.batchSize else { return true }
                batch += group
                return false
            }
            pending.groups.removeFirst(end ?? pending.groups.count)
            pending.count -= batch.count
            return batch.isEmpty ? nil : batch
        }
    }

    /// Deletes what an earlier process stored and did not delete.
    func deleteLeftovers(olderThan age: Duration) async {
        do {
            guard try await self.queue.takeTurn("tmp", every: age) else { return }
            // Page by page behind the last, so that what cannot be deleted keeps nothing else from going.
            var after: Int64 = 0
            while true {
                let left = try await self.queue.tmpObjectsLeft(olderThan: age, batches: Self.leftoverBatches, after: after)
                guard let last = left.last?.batch else { return }
                var gone = 0
                for start in stride(from: 0, to: left.count, by: Self.batchSize) {
                    gone += await self.delete(Array(left[start..<min(start + Self.batchSize, left.count)]))
                }
                try Task.checkCancellation()
                // A store that refuses a whole page is asked again next time.
                guard gone > 0 else { return }
                after = last
            }
        } catch {
            self.logger.debug("Leftover tmp objects could not be looked up", metadata: ["error": "\(error)"])
        }
    }

    /// What fails stays in the record as left over, and is tried again later.
    ///
    /// - Returns: how many are gone.
    @discardableResult
    private func delete(_ objects: [TmpObject]) async -> Int {
        var count = 0
        for (bucket, objects) in Dictionary(grouping: objects, by: \.bucket) {
            do {
                let (gone, failure) = try await self.work.deleteTmpObjects(objects, bucket: bucket)
                if !gone.isEmpty { try await self.queue.noteTmpDeleted(gone) }
                count += gone.count
                self.metrics.tmpDeleted.increment(by: gone.count)
                self.metrics.tmpDeletionFailures.increment(by: objects.count - gone.count)
                if let failure {
                    self.logger.warning(
                        "Some tmp objects were not deleted; trying again later",
                        metadata: ["bucket": "\(bucket)", "count": "\(objects.count - gone.count)", "code": "\(failure)"]
                    )
                }
            } catch  where Task.isCancelled {
                // Stopped half-way: the last flush of this process takes them up again.
                self.pending.withLockedValue { pending in
                    pending.groups.append(objects)
                    pending.count += objects.count
                }
            } catch {
                self.metrics.tmpDeletionFailures.increment(by: objects.count)
                self.logger.warning(
                    "Tmp objects were not deleted; trying again later",
                    metadata: ["bucket": "\(bucket)", "count": "\(objects.count)", "error": "\(error)"]
                )
            }
        }
        return count
    }
}
