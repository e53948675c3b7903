/// In which queue an upload waits for its worker, and how.
public struct QueuePlacement: Sendable, Equatable {
    /// A queue's name. Queues but `default` are made by `s3file.set_queue()`.
    public var queue: String
    /// Smaller goes first.
    public var priority: Int16
    /// After so many attempts in vain it fails; 1 or more.
    public var maxAttempts: Int16

    /// A place in a queue; in `default`, at priority 0 and with 12 attempts, unless said otherwise.
    public init(queue: String = "default", priority: Int16 = 0, maxAttempts: Int16 = 12) {
        self.queue = queue
        self.priority = priority
        self.maxAttempts = maxAttempts
    }
}
