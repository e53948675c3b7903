/// Tests whose code runs in a process of its own.
package enum ExitTests {
    /// While such a process lives the testing library blocks a thread of the concurrency pool to read from it: two at once on two cores, and nothing
    /// else goes on, what is to end those processes included.
    package static let turn = Turn()
}
