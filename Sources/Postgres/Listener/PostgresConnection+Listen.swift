import CLibpq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension PostgresConnection {
    /// How long the server may take to answer a ping at most.
    private static let longestPing: Duration = .seconds(5)

    /// Passes notifications on until the task is cancelled, or the connection is lost, which throws.
    func listen(pingInterval: Duration, to listener: AsyncStream<PostgresNotification>.Continuation) async throws {
        let interruption = Interruption()
        try await withTaskCancellationHandler {
            var ping = ContinuousClock.now + pingInterval
            while true {
                let handle = try self.usableHandle()
                while let notification = PQnotifies(handle.pointer) {
                    listener.yield(
                        .notification(
                            channel: String(cString: notification.pointee.relname),
                            payload: String(cString: notification.pointee.extra)
                        )
                    )
                    PQfreemem(notification)
                }
                _ = await self.reactor.wait(self.control.socket, POLLIN, until: ping) {
                    interruption.isRequested || self.control.isAborted
                }
                if interruption.isRequested { return }
                if ContinuousClock.now >= ping {
                    try await self.query("select 1", timeout: .after(min(pingInterval, Self.longestPing)))
                    ping = .now + pingInterval
                }
            }
        } onCancel: {
            interruption.request()
            self.control.wake()
        }
    }
}
