import Proof

/// Runs tasks one at a time on the thread that asks for it; of those that are ready a seed decides which is next.
///
/// Unchecked: whoever owns it gives it tasks and runs them on one thread, and so does all that they resume.
final class SteppedExecutor: TaskExecutor, @unchecked Sendable {
    private var ready: [UnownedJob] = []
    private var generator: SeededGenerator
    private(set) var steps = 0

    init(seed: UInt64) {
        self.generator = SeededGenerator(seed: seed, purpose: 2)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        self.ready.append(UnownedJob(job))
    }

    func runUntilIdle() {
        while !self.ready.isEmpty {
            self.steps += 1
            self.ready.swapAt(.random(in: self.ready.indices, using: &self.generator), self.ready.count - 1)
            self.ready.removeLast().runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
