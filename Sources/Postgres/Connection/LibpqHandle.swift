import CLibpq

/// Owns a `PGconn` and finishes it when nobody needs it any more: whoever drops it last, the actor or an abandoned blocking call.
//
// Unchecked: libpq allows one thread at a time per connection. The actor uses the pointer on the reactor's thread, and lends it to one
// blocking call at a time while it suspends; a call it no longer waits for is the only user left.
final class LibpqHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfinish(self.pointer)
    }

    var isBad: Bool { PQstatus(self.pointer) == CONNECTION_BAD }
}
