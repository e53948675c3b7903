import CLibpq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension PostgresConnection {
    /// Passes notifications on until the task is cancelled, or the connection is lost, which throws.
    func listen(_ hear: @Sendable (_ channel: String, _ payload: String) -> Void) async throws {
        let interruption = Interruption()
        try await withTaskCancellationHandler {
            while !interruption.isRequested {
                let handle = try self.usableHandle()
                while let notification = PQnotifies(handle.pointer) {
                    hear(String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
                    PQfreemem(notification)
                }
                _ = await self.reactor.wait(self.control.socket, POLLIN) { interruption.isRequested || self.control.isAborted }
            }
        } onCancel: {
            interruption.request()
            self.control.wake()
        }
    }
}
