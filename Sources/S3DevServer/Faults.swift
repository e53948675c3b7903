/// Misbehaviour that tests of clients ask for. Empty, the server behaves.
package struct Faults: Sendable {
    /// What a request is, before anything of it is done.
    package struct Operation: Sendable {
        package var method: String
        package var bucket: String?
        package var key: String?
        /// Names of the query's parameters.
        package var parameters: Set<String>
        /// Whether the request names a copy source.
        package var isCopy: Bool
    }

    /// How long to wait before the request is looked at.
    package var latency: @Sendable (Operation) -> Duration
    /// Whether the connection is closed instead of the reply being sent, after the request was done.
    package var losesReply: @Sendable (Operation) -> Bool

    package init(
        latency: @escaping @Sendable (Operation) -> Duration = { _ in .zero },
        losesReply: @escaping @Sendable (Operation) -> Bool = { _ in false }
    ) {
        self.latency = latency
        self.losesReply = losesReply
    }
}
