package import Logging

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
}

extension Connections: UploadBackend {
    package var record: any UploadRecord { self.queue }
    package var storage: any UploadStorage { self.s3 }
}
