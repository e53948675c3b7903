package import Logging
import Postgres

/// What ``Uploads`` stands on: Postgres and S3 in an app, memory in an app's own tests (`S3FileTesting`). Nothing else of the web side
/// knows which of them it is.
package protocol UploadBackend: Sendable {
    var record: any UploadRecord { get }
    var storage: any UploadStorage { get }

    /// Keeps what both of them need, until shutdown.
    func run() async throws
    /// Returns when the record can be asked.
    ///
    /// - Throws: ``SchemaError`` when this version cannot work with it.
    func requireSchema(logger: Logger) async throws
    /// Asks the record once, for a health report.
    func checkSchema() async throws
    /// Until it is cancelled: calls `hear` when statuses may have changed. May miss some.
    func listen(logger: Logger, _ hear: @escaping @Sendable () -> Void) async
}

extension UploadBackend {
    /// All is always well.
    package func checkSchema() async throws {}

    /// Hears nothing.
    package func listen(logger: Logger, _ hear: @escaping @Sendable () -> Void) async {
        await Doorbell().wait()
    }
}

extension Connections: UploadBackend {
    package var record: any UploadRecord { self.queue }
    package var storage: any UploadStorage { self.s3 }

    package func checkSchema() async throws { try await self.queue.checkSchema() }

    package func listen(logger: Logger, _ hear: @escaping @Sendable () -> Void) async {
        let listener = PostgresListener(
            configuration: self.listening,
            channels: [UploadQueue.statusChannel],
            pingingThrough: self.postgres,
            logger: logger
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await listener.run() }
            group.addTask {
                for await event in listener.notifications {
                    if case .disconnected = event { continue }
                    hear()
                }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
