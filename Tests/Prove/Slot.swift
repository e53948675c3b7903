import TestEnvironment

/// A place for a process of the system that is tested, and what lies between it and the others.
struct Slot: Sendable {
    let name: String
    let process: Respawned
    /// Between it and Postgres, and between it and the store.
    let postgres: FaultProxy
    let store: FaultProxy
    /// nil where it has the machine's.
    var clock: Clock?
}
