import Foundation
import Logging
import S3File
import NIOConcurrencyHelpers

/// Deletes the tmp objects of stored uploads, many in one request. It is told of them only after `stored` is durable.
///
/// What a crash leaves behind is found again in the record, so nothing depends on this process remembering.
final class TmpDeletion: Sendable {
    /// S3 takes no more keys in one DeleteObjects.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
    static let batchSize = 1_000
    static let gatherTime = Duration.milliseconds(200)
    /// How often, and how old, leftovers are looked for.
    static let leftoverInterval = Duration.seconds(60)

    private let work: any StoreWork
    private let queue: UploadQueue
    private let logger: Logger
    private let pending = NIOLockedValueBox<[TmpObject]>([])
    private let doorbell = Doorbell()

    init(work: any StoreWork, queue: UploadQueue, logger: Logger) {
        self.work = work
        self.queue = queue
        self.logger = logger
    }

    func add(_ object: TmpObject) {
        // A bound on memory: beyond it the record remembers alone.
        let added = self.pending.withLockedValue { pending in
            guard pending.count < Self.batchSize * 10 else { return false }
            pending.append(object)
            return true
        }
        if added { self.doorbell.ring() }
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    await self.doorbell.wait()
                    try? await Task.sleep(for: Self.gatherTime)
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
        while !Task.isCancelled {
            let batch = self.pending.withLockedValue { pending in
                let batch = Array(pending.prefix(Self.batchSize))
                pending.removeFirst(batch.count)
                return batch
            }
            guard !batch.isEmpty else { return }
            await self.delete(batch)
        }
    }

    /// Deletes what an earlier process stored and did not delete.
    func deleteLeftovers(olderThan age: Duration) async {
        do {
            let left = try await self.queue.tmpObjectsLeft(olderThan: age, batches: 10)
            for start in stride(from: 0, to: left.count, by: Self.batchSize) {
                await self.delete(Array(left[start..<min(start + Self.batchSize, left.count)]))
            }
        } catch {
            self.logger.debug("Leftover tmp objects could not be looked up", metadata: ["error": "\(error)"])
        }
    }

    /// What fails stays in the record as left over, and is tried again later.
    private func delete(_ objects: [TmpObject]) async {
        for (bucket, objects) in Dictionary(grouping: objects, by: \.bucket) {
            do {
                let (gone, failure) = try await self.work.deleteTmpObjects(objects, bucket: bucket)
                if !gone.isEmpty { try await self.queue.noteTmpDeleted(gone) }
                if let failure {
                    self.logger.warning(
                        "Some tmp objects were not deleted; trying again later",
                        metadata: ["bucket": "\(bucket)", "count": "\(objects.count - gone.count)", "code": "\(failure)"]
                    )
                }
            } catch  where Task.isCancelled {
                // Stopped half-way: the last flush of this process takes them up again.
                self.pending.withLockedValue { $0 += objects }
            } catch {
                self.logger.warning(
                    "Tmp objects were not deleted; trying again later",
                    metadata: ["bucket": "\(bucket)", "count": "\(objects.count)", "error": "\(error)"]
                )
            }
        }
    }
}
