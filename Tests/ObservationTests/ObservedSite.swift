import CoreMetrics
import Foundation
import HTTPTypes
import Logging
import NIOCore
import Postgres
import S3
import S3DevServer
import S3File
import S3FileHTTP
import S3FileObservability
import S3FileWorker
import ServiceLifecycle
import TestEnvironment
import Testing
import Tracing

/// Web side and worker on a Postgres and an S3 of their own, with all that can be seen of them from outside.
struct ObservedSite: Sendable {
    static let secret = "a-secret-of-tickets-that-nobody-may-see"
    static let secretAccessKey = "an-s3-secret-key-that-nobody-may-see"
    static let documents = UploadField("documents", uploadTo: "documents/", maximumSize: .kilobytes(100), maximumCount: 5)

    let metrics: PrometheusMetrics
    let tracer: W3CTracer
    let log: LogRecorder
    let uploads: Uploads
    let pool: WorkerPool
    let store: S3Client
    let server: TestDevServer
    let database: PostgresClient
    let databaseURL: String

    static func with<R: Sendable>(
        hasWorker: Bool = true,
        faults: String? = nil,
        _ body: @escaping @Sendable (ObservedSite) async throws -> R
    ) async throws -> R {
        let (metrics, tracer, log) = (PrometheusMetrics(), W3CTracer(), LogRecorder())
        let rules = try faults.map { try FaultRule.parse($0) } ?? []
        return try await withMetricsFactory(metrics) {
            try await withTracer(tracer) {
                try await TestDevServer.run {
                    $0.secretAccessKey = Self.secretAccessKey
                    $0.faultRules = rules
                } _: { server in
                    try await withMigratedDatabase { database, url in
                        let configuration = try S3FileConfiguration(
                            databaseURL: url,
                            bucket: server.bucket,
                            endpointURL: server.endpoint,
                            credentials: .keys(
                                accessKeyID: server.configuration.accessKeyID,
                                secretAccessKey: Self.secretAccessKey
                            ),
                            secrets: [Self.secret]
                        )
                        let uploads = try Uploads(configuration: configuration, logger: log.logger)
                        let pool = try WorkerPool(configuration: configuration, logger: log.logger)
                        let services = ServiceGroup(services: hasWorker ? [uploads, pool] : [uploads], logger: .quiet)
                        return try await TestStore.withClient(server.s3Configuration) { store, _ in
                            let site = ObservedSite(
                                metrics: metrics,
                                tracer: tracer,
                                log: log,
                                uploads: uploads,
                                pool: pool,
                                store: store,
                                server: server,
                                database: database,
                                databaseURL: url
                            )
                            return try await withThrowingTaskGroup(of: Void.self) { group in
                                group.addTask { try await services.run() }
                                let result: Result<R, any Error>
                                do { result = .success(try await body(site)) } catch { result = .failure(error) }
                                await services.triggerGracefulShutdown()
                                try await group.waitForAll()
                                return try result.get()
                            }
                        }
                    }
                }
            }
        }
    }

    /// What a browser does with one input: draws it, uploads files, posts the form.
    func post(
        _ files: [String],
        ticket: String? = nil,
        headers: HTTPFields = [:],
        status: HTTPResponse.Status = .ok
    ) async throws -> (outcome: FormIntake.Outcome, input: UploadInput) {
        let input = try await self.uploads.input(Self.documents, subject: "ada")
        let folder = (input.fields.first { $0.name == "key" }?.value ?? "").replacing("/${filename}", with: "")
        var fields = [("s3file", "documents"), ("documents-s3f-signature", ticket ?? input.ticket)]
        for (number, text) in files.enumerated() {
            let key = "\(folder)/\(number)AAAAAAAAAAAAAAAAAAAAA"
            _ = try await self.store.putObject(
                bucket: self.server.bucket,
                key: key,
                body: ByteBuffer(string: text),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            fields += [("documents", key), ("documents-s3f-name", "file \(number).txt")]
        }
        let form = fields.map { "\($0.0)=\($0.1.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")" }
            .joined(separator: "&")
        let outcome = try await self.post(ByteBuffer(string: form), "application/x-www-form-urlencoded", headers, status)
        return (outcome, input)
    }

    /// What a browser without script does.
    func postFile(_ text: String) async throws -> FormIntake.Outcome {
        let body = """
            --x\r\nContent-Disposition: form-data; name="documents"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n\(text)\r\n--x--\r\n
            """
        return try await self.post(
            ByteBuffer(string: body),
            "multipart/form-data; boundary=x",
            [:],
            .ok
        )
    }

    private func post(
        _ body: ByteBuffer,
        _ contentType: String,
        _ headers: HTTPFields,
        _ status: HTTPResponse.Status
    ) async throws -> FormIntake.Outcome {
        let intake = FormIntake(uploads: self.uploads, fields: [Self.documents])
        var headers = headers
        headers[.contentType] = contentType
        let request = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/", headerFields: headers)
        let stream = AsyncStream<ByteBuffer> { continuation in
            continuation.yield(body)
            continuation.finish()
        }
        let outcome = try await intake.take(request, body: stream, subject: { "ada" }, logger: self.log.logger)
        if case .taken(let form) = outcome { await intake.finish(form, status: status, logger: self.log.logger) }
        return outcome
    }

    func storeds(_ count: Int) async throws {
        try await eventually("\(count) are stored and their tmp objects deleted") {
            let row = try await self.database.query(
                """
                select (select count(*) from s3file.upload where state = 2) as stored,
                       (select count(*) from s3file.tmp_deletion) as left_over
                """
            )[0]
            return try row["stored", Int64.self] >= Int64(count) && row["left_over", Int64.self] == 0
        }
    }

    /// The value of one series.
    func value(_ series: String) -> Double? { self.metrics.value(series) }
}

extension FormIntake.Outcome {
    var taken: TakenForm? {
        guard case .taken(let form) = self else { return nil }
        return form
    }
}
