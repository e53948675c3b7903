public import Configuration
import CoreMetrics
public import Foundation
public import Logging
import Postgres
package import S3
public import ServiceLifecycle
import Tracing

/// What an app holds: it draws inputs, verifies what forms bring back, enqueues it, and tells how far it is.
///
/// It is a service: run it beside the web server, for its database connections live in ``run()``.
///
/// ```swift
/// let uploads = try Uploads(reader: config, logger: logger)
/// app.addServices(uploads)
/// ```
public final class Uploads: Service {
    /// The settings it was made from.
    public let configuration: S3FileConfiguration
    /// Where the upload routes are mounted: drawn inputs name them.
    public let paths: UploadPaths

    private let backend: any UploadBackend
    /// Postgres, or what stands in for it.
    let record: any UploadRecord
    /// S3, or what stands in for it.
    let storage: any UploadStorage
    let keys: SigningKeys
    /// For forms that bring their files themselves.
    package let streamSlots: StreamSlots
    /// For forms, and for what the page's script asks: neither can take the other's.
    package let formPlaces, scriptPlaces: RequestPlaces
    private let statusTokens: StatusToken
    private let wakeUp: WakeUp
    private let newsOfStatuses: WakeUp
    /// Where whoever waits for news of uploads gets them.
    package let feed: StatusFeed
    /// The record as those who run this see it; nil where it is not in Postgres.
    package let operators: UploadQueue?
    /// Where whoever looks at the dashboard is told how everything stands; nil where ``operators`` is.
    package let overview: OverviewFeed?
    package let logger: Logger
    package let metrics: UploadsMetrics
    package let spans: SpanSource
    private let databaseHealth = DatabaseHealth()

    /// - Parameters:
    ///   - configuration: the settings.
    ///   - paths: where the app mounts the upload routes.
    ///   - logger: told what goes wrong and cannot be thrown.
    /// - Throws: ``ConfigurationError`` when a setting is missing or wrong.
    public convenience init(configuration: S3FileConfiguration, paths: UploadPaths = .standard, logger: Logger) throws {
        try configuration.refuseDevelopmentSettings()
        try self.init(
            configuration: configuration,
            paths: paths,
            backend: Connections(configuration: configuration, logger: logger),
            logger: logger
        )
    }

    /// - Parameter backend: what takes the place of Postgres and S3.
    package init(
        configuration: S3FileConfiguration,
        paths: UploadPaths = .standard,
        backend: any UploadBackend,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.paths = paths
        self.keys = try SigningKeys(secrets: configuration.secrets)
        self.statusTokens = StatusToken(keys: self.keys)
        self.metrics = UploadsMetrics()
        self.spans = SpanSource()
        self.streamSlots = StreamSlots(limit: configuration.streamedForms, metrics: self.metrics)
        let requests = configuration.webRequests
        self.formPlaces = RequestPlaces(limit: requests, metrics: PlaceMetrics(.form, limit: requests, self.metrics))
        self.scriptPlaces = RequestPlaces(limit: requests, metrics: PlaceMetrics(.script, limit: requests, self.metrics))
        self.backend = backend
        self.record = backend.record
        self.storage = backend.storage
        let record = backend.record
        self.wakeUp = WakeUp("workers", logger: logger) { try await record.notify() }
        self.newsOfStatuses = WakeUp("readers of statuses", logger: logger) { try await record.notifyOfStatuses() }
        self.feed = StatusFeed(backend: backend, maximum: configuration.statusStreams, logger: logger)
        self.operators = backend.record as? UploadQueue
        self.overview = self.operators.map { OverviewFeed(queue: $0, logger: logger) }
        self.logger = logger
    }

    /// Reads the settings; ``S3FileConfiguration/init(reader:)`` lists them.
    ///
    /// - Parameters:
    ///   - reader: has the settings, such as those of the environment.
    ///   - paths: where the app mounts the upload routes.
    ///   - logger: told what goes wrong and cannot be thrown.
    /// - Throws: ``ConfigurationError`` when a setting is missing or wrong.
    public convenience init(reader: ConfigReader, paths: UploadPaths = .standard, logger: Logger) throws {
        try self.init(configuration: S3FileConfiguration(reader: reader), paths: paths, logger: logger)
    }

    /// Keeps the database connections, wakes workers after enqueues, and reads statuses for those who wait, until shutdown.
    ///
    /// - Throws: ``SchemaError`` when the tables are not those that this version works with.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await self.serve()
        } onGracefulShutdown: {
            self.databaseHealth.stop()
        }
    }

    private func serve() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.backend.run() }
            group.addTask {
                try await self.backend.requireSchema(logger: self.logger)
                await withDiscardingTaskGroup { group in
                    group.addTask { await self.wakeUp.run() }
                    group.addTask { await self.newsOfStatuses.run() }
                    group.addTask { await self.feed.run() }
                    group.addTask { await self.overview?.run() }
                    if self.metrics.isUsed { group.addTask { await self.tellWaiting() } }
                    group.addTask { await self.databaseHealth.keepAsking(self.backend) }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func tellWaiting() async {
        self.metrics.statusLimit.record(self.configuration.statusStreams)
        repeat {
            self.metrics.statusWaiting.record(self.feed.count)
        } while (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }) != nil
    }

    // MARK: Taking

    /// Verifies what a form brought for the declared fields: tickets, keys, and the objects in S3. Writes nothing.
    ///
    /// - Returns: the promises by field name; a field that the form did not carry is absent.
    /// - Throws: ``UploadError`` with a sentence for the person.
    public func verify(_ form: FormBody, fields: [UploadField], subject: String?) async throws(UploadError) -> [String:
        [UploadPromise]]
    {
        let (record, storage) = (self.record, self.storage)
        let (tmpBucket, bucket) = (self.configuration.tmpBucket, self.configuration.bucket)
        let verification = Verification(
            keys: self.keys,
            storage: storage,
            tmpBucket: tmpBucket,
            bucket: bucket,
            location: self.configuration.location,
            tmpPrefix: self.configuration.tmpPrefix,
            django: self.configuration.djangoSecret.map(DjangoSignature.init)
        )
        return try await self.spans.withSpan("s3file.verify") { (span) throws(UploadError) in
            let promises = try await verification.promises(in: form, fields: fields, subject: subject) { key in
                try await record.promise(tmpBucket: tmpBucket, tmpKey: key, owner: subject, bucket: bucket)
            }
            span?.attributes["s3file.files"] = promises.values.reduce(0) { $0 + $1.count }
            return promises
        }
    }

    /// Enqueues promises, all or none, in one round trip. Safe to repeat: the same promise returns the same upload.
    ///
    /// There are three ways, and none of them loses a file that somebody was told of:
    /// - The middleware does it before the handler, with a `hold`, releases it when the handler answers below 400, and cancels it otherwise.
    ///   That is its default.
    /// - In manual mode the handler calls this. What it does not enqueue is no upload, and is swept away after a day.
    /// - The handler enqueues in a transaction of its own, on any connection, by SQL: the file is stored if and only if that commits.
    ///
    /// The SQL takes the members of ``UploadPromise`` by their names, with ``UploadPromise/requestedKey`` as `key`, and gives ``Upload/key``
    /// back as `final_key`:
    /// ```sql
    /// insert into report (title, key) select $1, final_key from s3file.enqueue(
    ///     bucket => $2, tmp_key => $3, etag => $4, size => $5, key => $6, content_type => $7, filename => $8,
    ///     field => $9, owner => $10, upload_id => $11, version_id => $12, tmp_bucket => $13);
    /// ```
    ///
    /// - Parameters:
    ///   - promises: what was verified; in their order are the uploads that are returned.
    ///   - hold: how long workers leave it alone unless ``release(_:)`` comes first. If the process dies in between, the hold runs out and the
    ///     file is stored rather than lost.
    ///   - metadata: a JSON object of at most 8,192 bytes, kept with each upload and shown by `s3file.upload_status`.
    ///   - placement: in which queue they wait, and how.
    /// - Throws: ``UploadError``.
    public func enqueue(
        _ promises: [UploadPromise],
        hold: Duration? = nil,
        metadata: String? = nil,
        placement: QueuePlacement = QueuePlacement()
    ) async throws(UploadError) -> [Upload] {
        let uploads: [Upload]
        do {
            // As a message is sent: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>
            uploads = try await self.spans.withSpan("enqueue \(placement.queue)", ofKind: .producer) { span in
                span?.updateAttributes { attributes in
                    attributes["messaging.system"] = "s3file"
                    attributes["messaging.operation.name"] = "enqueue"
                    attributes["messaging.operation.type"] = "send"
                    attributes["messaging.destination.name"] = placement.queue
                    attributes["messaging.batch.message_count"] = promises.count
                }
                return try await self.record.enqueue(promises, hold: hold, metadata: metadata, placement: placement)
            }
        } catch let error as UploadError {
            throw error
        } catch {
            throw UploadError(enqueuing: promises, error)
        }
        if hold == nil { self.wakeUp.request() }
        // Some may be queued anew that somebody has seen fail.
        self.newsOfStatuses.request()
        return uploads
    }

    /// Lets workers take held uploads now, and wakes them.
    public func release(_ ids: [UUID]) async throws {
        guard !ids.isEmpty else { return }
        try await self.record.release(ids)
        self.wakeUp.request()
        self.newsOfStatuses.request()
    }

    /// Gives up held uploads, so that the form can be posted again with the same files. One that was released before, by an earlier post
    /// of the same form, stays as it is.
    public func cancelHeld(_ ids: [UUID]) async throws {
        guard !ids.isEmpty else { return }
        try await self.record.cancelHeld(ids)
        self.newsOfStatuses.request()
    }

    /// Withdraws uploads. A moving one may still be stored, if its worker is past the point of return.
    public func cancel(_ ids: [UUID]) async throws {
        guard !ids.isEmpty else { return }
        try await self.record.cancel(ids)
        self.newsOfStatuses.request()
    }

    /// Takes failed and cancelled uploads up again whose bytes are still there, and wakes workers.
    ///
    /// - Returns: how many.
    public func retry(_ ids: [UUID]) async throws -> Int {
        guard !ids.isEmpty else { return 0 }
        let count = try await self.record.retry(ids)
        self.wakeUp.request()
        self.newsOfStatuses.request()
        return count
    }

    /// Jobs were queued, or changed, past this: wakes workers and those who wait for news.
    package func changed() {
        self.wakeUp.request()
        self.newsOfStatuses.request()
    }

    // MARK: Telling

    /// One upload; `nil` when there is none with this id.
    public func upload(_ id: UUID) async throws -> Upload? {
        try await self.record.upload(id)
    }

    /// Those of these uploads that there are, in one round trip.
    public func uploads(_ ids: [UUID]) async throws -> [UUID: Upload] {
        try await self.record.uploads(ids)
    }

    /// How these uploads stood one after the other since an event; none when that is too long ago.
    package func events(of ids: [UUID], after event: Int64) async throws -> [UploadEvent] {
        try await self.record.events(of: ids, after: event)
    }

    /// The newest event of all, or one shortly before.
    package func newestEvent() async throws -> Int64? {
        if let newest = self.feed.newestEvent { return newest }
        return try await self.record.newestEvents().max()
    }

    /// The newest uploads of one owner, newest first.
    ///
    /// - Parameters:
    ///   - owner: as it was enqueued.
    ///   - limit: at most this many; 1 to 1,000.
    public func recent(owner: String, limit: Int = 50) async throws -> [Upload] {
        try await self.recent(owner: owner, fields: nil, limit: limit)
    }

    /// As ``recent(owner:limit:)``, of some fields alone.
    package func recent(owner: String, fields: Set<String>?, limit: Int) async throws -> [Upload] {
        try await self.record.recent(owner: owner, fields: fields?.sorted(), limit: max(1, min(limit, 1_000)))
    }

    /// What lets its holder read one upload's status.
    public func statusToken(for id: UUID) -> String { self.statusTokens.token(for: id) }

    /// Whether a token is the one of this upload. Compares in constant time.
    public func isValid(statusToken: String, for id: UUID) -> Bool { self.statusTokens.isValid(statusToken, for: id) }

    /// Where a stored file can be fetched: a presigned URL that lives for an hour; `nil` while it is not stored.
    public func url(of upload: Upload) async throws -> String? {
        guard upload.status == .stored, let key = upload.key else { return nil }
        return try await self.storage.presignedGetURL(
            bucket: upload.bucket,
            key: key,
            versionID: nil,
            expires: .seconds(3600),
            contentDisposition: nil,
            contentType: nil,
            now: Date()
        )
    }
}

extension Uploads: HealthReporting {
    /// Ready while Postgres answers and has the tables; S3 is asked by forms alone, and its absence is for each of them to say.
    public var health: HealthReport {
        HealthReport(readiness: self.databaseHealth.checks())
    }
}
