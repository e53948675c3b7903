import Synchronization

/// What others may know of a connection, and do to it, without waiting for its actor.
final class ConnectionControl: Sendable {
    enum State: UInt8 {
        case unconnected
        /// Connected, and in no transaction.
        case ready
        case busy
        case inTransaction
        case broken
        /// Broken, and others may be, too: the server fell silent, or is a standby now.
        case suspect
    }

    private let stateValue = Atomic<UInt8>(State.unconnected.rawValue)
    private let abortedValue = Atomic<Bool>(false)
    private let socketValue = Atomic<Int32>(-1)

    var state: State {
        get { State(rawValue: self.stateValue.load(ordering: .acquiring)) ?? .broken }
        set { self.stateValue.store(newValue.rawValue, ordering: .releasing) }
    }

    var socket: Int32 {
        get { self.socketValue.load(ordering: .acquiring) }
        set { self.socketValue.store(newValue, ordering: .releasing) }
    }

    var isAborted: Bool { self.abortedValue.load(ordering: .acquiring) }

    /// Ends what is under way, and refuses everything after it.
    func abort() {
        self.abortedValue.store(true, ordering: .releasing)
        self.wake()
    }

    /// Makes whoever waits for the socket look again.
    func wake() {
        let socket = self.socket
        if socket >= 0 { Reactor.shared.interrupt(socket) }
    }
}

/// Whether the task behind one exchange has been cancelled.
final class Interruption: Sendable {
    private let requested = Atomic<Bool>(false)

    var isRequested: Bool { self.requested.load(ordering: .acquiring) }

    func request() {
        self.requested.store(true, ordering: .releasing)
    }
}
