import NIOCore

/// Runs tasks on the event loop that does their I/O.
///
/// A move is two or three small requests with a little work between them. On the threads of the concurrency pool every request and every reply
/// would be handed from thread to thread and wake the other one; here a reply is followed up where it was read.
/// Nothing that runs here may block: while it does, nobody's replies are read.
final class EventLoopTaskExecutor: TaskExecutor {
    let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
