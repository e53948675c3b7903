public import Logging
public import NIOCore
import S3
public import S3File
import ServiceLifecycle

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Uploads for the tests of an app: all of its routes, middleware and handlers run as they do in production, and neither Postgres nor S3 is
/// there. The record and the objects are in memory, and nothing moves unless the test says so.
///
/// ```swift
/// let test = try TestUploads()
/// var app = Application(router: try makeRouter(uploads: test.uploads))
/// app.addServices(test.uploads)
/// try await app.test(.router) { client in
///     let page = try await client.execute(uri: "/report", method: .get)
///     var form = TestForm(page: String(buffer: page.body))
///     form.set("title", "Third quarter")
///     try await test.upload("q3.pdf", "%PDF-1.7 …", contentType: "application/pdf", to: "report", of: &form)
///     let response = try await client.execute(uri: "/report", method: .post, headers: form.headers, body: form.body)
///     #expect(response.status == .seeOther)
///     try await test.store(try #require(test.all.first).id)
/// }
/// ```
public struct TestUploads: Sendable {
    /// What the app is given in place of its own.
    public let uploads: Uploads

    private let backend: MemoryBackend

    /// - Parameters:
    ///   - logger: told what goes wrong; nobody unless it is given.
    ///   - configure: changes the settings; those of Postgres and S3 have no effect.
    public init(
        logger: Logger = Logger(label: "s3file", factory: { _ in SwiftLogNoOpLogHandler() }),
        configure: (inout S3FileConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = try S3FileConfiguration(
            databaseURL: "postgresql:///memory",
            bucket: "test",
            endpointURL: "http://s3.test",
            credentials: .keys(accessKeyID: "test", secretAccessKey: "test"),
            secrets: ["a secret that only tests of an app sign with"]
        )
        configure(&configuration)
        self.backend = MemoryBackend(configuration: configuration, logger: logger)
        self.uploads = try Uploads(configuration: configuration, backend: self.backend, logger: logger)
    }

    // MARK: The browser's part

    /// Uploads a file for a form, as the page's script does: to S3, under a key of its own. Whether the field takes it is not looked at, for
    /// that is what posting the form finds out.
    ///
    /// - Parameters:
    ///   - filename: the person's name for it.
    ///   - bytes: all of it.
    ///   - contentType: what the browser says that it is.
    ///   - field: the name of an input that the form has.
    ///   - form: brings the file when it is posted.
    /// - Returns: the key of the tmp object.
    @discardableResult
    public func upload(
        _ filename: String,
        _ bytes: ByteBuffer,
        contentType: String = "application/octet-stream",
        to field: String,
        of form: inout TestForm
    ) async throws -> String {
        let key = try form.newKey(field: field)
        _ = try await self.backend.memory.putObject(
            bucket: self.uploads.configuration.tmpBucket,
            key: key,
            body: bytes,
            attributes: S3ObjectAttributes(contentType: contentType),
            ifNoneMatch: false
        )
        form.add(field: field, key: key, filename: filename)
        return key
    }

    /// The same with a text's bytes.
    @discardableResult
    public func upload(
        _ filename: String,
        _ text: String,
        contentType: String = "text/plain",
        to field: String,
        of form: inout TestForm
    ) async throws -> String {
        try await self.upload(filename, ByteBuffer(string: text), contentType: contentType, to: field, of: &form)
    }

    // MARK: The workers' part

    /// Moves a queued upload to its place, as a worker would.
    ///
    /// - Throws: ``TestUploadsError`` when it is not queued, or its bytes are gone or changed.
    @discardableResult
    public func store(_ id: UUID) async throws -> Upload {
        try await self.backend.store(id)
    }

    /// Gives a queued upload up, as a worker would.
    @discardableResult
    public func fail(_ id: UUID, code: String, message: String, retryable: Bool = false) throws -> Upload {
        _ = try self.backend.memoryRecord.claim(id)
        return try self.backend.memoryRecord.settle(
            id,
            as: .failed,
            error: Upload.Failure(code: code, message: message, retryable: retryable)
        )
    }

    // MARK: What is there

    /// All uploads on record, the oldest first; those held for a handler too.
    public var all: [Upload] { self.backend.memoryRecord.all }

    /// Whether a handler has an upload still, so that no worker may take it.
    public func isHeld(_ id: UUID) -> Bool { self.backend.memoryRecord.isHeld(id) }

    /// The bytes of a stored file.
    public func file(at key: String) -> ByteBuffer? {
        self.backend.memory.object(self.uploads.configuration.bucket, key)?.bytes
    }

    /// The keys of files that wait for a form, or a worker.
    public var tmpKeys: [String] {
        self.backend.memory.keys(self.uploads.configuration.tmpBucket)
            .filter { $0.hasPrefix(self.uploads.configuration.tmpPrefix + "/") }
    }
}

/// What a test asks for that cannot be.
public struct TestUploadsError: Error, CustomStringConvertible {
    /// The sentence.
    public var description: String
}
