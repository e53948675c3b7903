import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Something that needs somebody.
struct Concern: Sendable, Equatable {
    /// Tells it from the others, from one look to the next.
    var key: String
    /// The table that shows it.
    var table: String
    var sentence: String
}

extension Overview {
    /// What is due for longer has been forgotten, or there is too much of it.
    private static let longDue: Double = 300
    /// Tasks of the upkeep come late when everybody is busy.
    private static let longOverdue: Double = 600

    /// The worst first.
    var concerns: [Concern] {
        self.lackOfWorkers + self.refusals + self.failed + self.queues.compactMap(self.concern) + self.slowed + self.silent
            + self.late
    }

    private var lackOfWorkers: [Concern] {
        let due = self.queues.filter { !$0.isPaused }.reduce(0) { $0 + $1.due }
        guard due > 0, !self.workers.contains(where: { $0.expiresAt > self.readAt }) else { return [] }
        let sentence = "No worker runs, and \(Wording.count(due, "upload")) \(due == 1 ? "is" : "are") due."
        return [Concern(key: "workers", table: "workers", sentence: sentence)]
    }

    private var refusals: [Concern] {
        self.buckets.filter { $0.refusedBy > 0 }.map { bucket in
            let sentence = "Bucket \(bucket.bucket) refuses \(Wording.count(bucket.refusedBy, "worker")): \(bucket.code ?? "?")."
            return Concern(key: "refused \(bucket.bucket)", table: "buckets", sentence: sentence)
        }
    }

    private var failed: [Concern] {
        let failed = self.failures.reduce(0) { $0 + $1.failed }
        guard failed > 0 else { return [] }
        let more = self.failures.allSatisfy(\.isWhole) ? "" : " or more"
        let sentence = "\(Wording.count(failed, "upload"))\(more) \(failed == 1 ? "has" : "have") failed."
        return [Concern(key: "failed", table: "failures", sentence: sentence)]
    }

    private func concern(of queue: QueueReading) -> Concern? {
        if queue.isPaused, queue.due > 0 {
            let waiting = "\(Wording.count(queue.due, "upload")) \(queue.due == 1 ? "waits" : "wait")"
            let sentence = "Queue \(queue.queue) is paused, and \(waiting) in it."
            return Concern(key: "paused \(queue.queue)", table: "queues", sentence: sentence)
        }
        guard queue.oldestSeconds > Self.longDue else { return nil }
        let sentence = "The oldest upload in queue \(queue.queue) has been due for \(Wording.age(queue.oldestSeconds))."
        return Concern(key: "late \(queue.queue)", table: "queues", sentence: sentence)
    }

    private var slowed: [Concern] {
        self.buckets.filter { $0.refusedBy == 0 && $0.slowedFor > 0 }.map { bucket in
            let sentence = "Bucket \(bucket.bucket) asked for fewer requests."
            return Concern(key: "slowed \(bucket.bucket)", table: "buckets", sentence: sentence)
        }
    }

    private var silent: [Concern] {
        self.workers.filter { $0.expiresAt <= self.readAt }.map { worker in
            let age = Wording.age(self.readAt.timeIntervalSince(worker.seenAt))
            let sentence = "Worker \(worker.id) on \(worker.host) has not been heard of for \(age)."
            return Concern(key: "silent \(worker.id)", table: "workers", sentence: sentence)
        }
    }

    private var late: [Concern] {
        guard let task = self.upkeep.overdue.max(by: { $0.value < $1.value }), task.value > Self.longOverdue else { return [] }
        let sentence = "The upkeep is late: “\(task.key)” has been due for \(Wording.age(task.value))."
        return [Concern(key: "upkeep", table: "upkeep", sentence: sentence)]
    }
}
