import CLibpq
import NIOPosix
import Synchronization

/// One `PQcancel` under way.
///
/// It opens a connection of its own, blocking, so it runs on a thread pool. Until it is finished the next statement must not start, or the
/// request might hit that one ([libpq-cancel](https://www.postgresql.org/docs/15/libpq-cancel.html)).
final class CancelRequest: Sendable {
    // Unchecked: made on the reactor, then used by the one blocking call alone, which also frees it.
    private struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private let finished = Atomic<Bool>(false)

    var isFinished: Bool { self.finished.load(ordering: .acquiring) }

    /// Called on the reactor; `control` is woken when the request has been delivered.
    init(_ connection: OpaquePointer, control: ConnectionControl) {
        guard let pointer = PQgetCancel(connection) else {
            self.finished.store(true, ordering: .releasing)
            return
        }
        let handle = Handle(pointer: pointer)
        BlockingCalls.cancelling.submit { _ in
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(handle.pointer, &message, Int32(message.count))  // the drain notices when it had no effect
            PQfreeCancel(handle.pointer)
            self.finished.store(true, ordering: .releasing)
            control.wake()
        }
    }
}
