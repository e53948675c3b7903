import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Postgres
import S3
import S3DevServer
import S3File
import S3FileHummingbird
import ServiceLifecycle
import TestEnvironment

struct TestContext: S3FileRequestContext {
    var coreContext: CoreRequestContextStorage
    var uploads = FormUploads()

    init(source: Source) {
        self.coreContext = .init(source: source)
    }
}

/// An app with two fields on a database and an S3 of its own.
struct TestSite: Sendable {
    static let bucket = "media"
    static let secret = "a secret that is long enough for a test"
    static let avatar = UploadField("avatar", uploadTo: "avatars/", accept: [.image], maximumSize: .kilobytes(100))
    static let documents = UploadField(
        "documents",
        uploadTo: "documents/",
        maximumSize: .kilobytes(100),
        maximumCount: 3
    )
    static let user = HTTPField.Name("X-User")!

    let uploads: Uploads
    let connections: Connections
    let database: PostgresClient

    /// An input as a page drew it.
    struct Drawn: Sendable {
        var field: String
        var ticket: String
        var folder: String
        var url: String

        /// The fields that the script posts for these files.
        func post(_ files: [(key: String, name: String)]) -> [(String, String)] {
            [("s3file", self.field), ("\(self.field)-s3f-signature", self.ticket)]
                + files.flatMap { [(self.field, $0.key), ("\(self.field)-s3f-name", $0.name)] }
        }
    }

    func draw(_ field: UploadField, subject: String? = "ada") async throws -> Drawn {
        let input = try await self.uploads.input(field, subject: subject)
        let key = input.fields.first { $0.name == "key" }?.value ?? ""
        return Drawn(
            field: field.name,
            ticket: input.ticket,
            folder: String(key.dropLast("/${filename}".count)),
            url: input.url
        )
    }

    /// What the browser's upload leaves behind.
    func put(_ key: String, size: Int = 5, text: String? = nil, contentType: String = "text/plain") async throws {
        _ = try await self.connections.s3.putObject(
            bucket: Self.bucket,
            key: key,
            body: text.map { ByteBuffer(string: $0) } ?? ByteBuffer(repeating: UInt8(ascii: "x"), count: size),
            attributes: S3ObjectAttributes(contentType: contentType)
        )
    }

    /// Draws the documents input and uploads one file for it.
    func drawnWithFile(name: String = "x.txt") async throws -> (drawn: Drawn, file: (key: String, name: String)) {
        let drawn = try await self.draw(Self.documents)
        let key = drawn.folder + "/AAAAAAAAAAAAAAAAAAAAAA"
        try await self.put(key)
        return (drawn, (key, name))
    }

    /// Answers `POST /` with what the handler returns, and has the upload routes.
    func app(
        mode: S3FileMiddleware<TestContext>.Mode = .held,
        fields: [UploadField] = [Self.avatar, Self.documents],
        limits: FormBody.Limits = .init(),
        withoutScript: S3FileMiddleware<TestContext>.WithoutScript = .streamed,
        handler: @escaping @Sendable (Request, TestContext) async throws -> Response = { _, context in Self.list(context) }
    ) -> some ApplicationProtocol {
        let router = Router(context: TestContext.self)
        UploadRoutes(uploads: self.uploads).add(to: router)
        router.group()
            .add(
                middleware: S3FileMiddleware(
                    uploads: self.uploads,
                    fields: fields,
                    mode: mode,
                    limits: limits,
                    withoutScript: withoutScript
                ) { request, _ in
                    request.headers[Self.user] ?? "ada"
                }
            )
            .on("/", method: .post, use: handler)
            .on("/", method: .put, use: handler)
        return Application(router: router, logger: .quiet)
    }

    /// One line an upload: field, id, key, token, name.
    static func list(_ context: TestContext) -> Response {
        let lines = context.uploads.all.map { upload in
            [upload.field, upload.id.uuidString.lowercased(), upload.key ?? "", upload.statusToken, upload.filename]
                .joined(separator: "\t")
        }
        return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: lines.joined(separator: "\n"))))
    }

    /// State and whether it is held, of every upload.
    func rows() async throws -> [String] {
        try await self.database.query(
            "select status, (coalesce(next_attempt_at > now(), false))::text as held from s3file.upload_status order by id"
        ).map { row in
            let status = try row["status", String.self]
            let isHeld = try row["held", String.self] == "true"
            return status == "queued" && isHeld ? "held" : status
        }
    }
}

/// Runs a test on a site of its own.
func withSite(
    tmpBucket: String = TestSite.bucket,
    faults: Faults = Faults(),
    configure: @escaping @Sendable (inout S3FileConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (TestSite) async throws -> Void
) async throws {
    try await withMigratedDatabase { client, url in
        try await withTemporaryFolder { folder in
            var serverConfiguration = S3DevServerConfiguration(
                directory: folder.path,
                port: 0,
                buckets: Array(Set([TestSite.bucket, tmpBucket])),
                synchronizesFiles: false
            )
            serverConfiguration.faults = faults
            let server = try S3DevServer(configuration: serverConfiguration, logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await server.run() }
                var configuration = try S3FileConfiguration(
                    databaseURL: url,
                    bucket: TestSite.bucket,
                    tmpBucket: tmpBucket,
                    endpointURL: "http://127.0.0.1:\(await server.boundPort())",
                    credentials: .keys(accessKeyID: "s3file-dev", secretAccessKey: "s3file-dev-secret-key"),
                    secrets: [TestSite.secret]
                )
                configure(&configuration)
                let uploads = try Uploads(configuration: configuration, logger: .quiet)
                let connections = try Connections(configuration: configuration, logger: .quiet)
                group.addTask { try await uploads.run() }
                group.addTask { try await connections.run() }
                try await body(TestSite(uploads: uploads, connections: connections, database: client))
            }
        }
    }
}

extension TestClientProtocol {
    /// Posts a form as a browser does.
    func post(
        _ fields: [(String, String)],
        method: HTTPRequest.Method = .post,
        headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var headers = headers
        headers[.contentType] = headers[.contentType] ?? "application/x-www-form-urlencoded"
        return try await self.execute(uri: "/", method: method, headers: headers, body: ByteBuffer(string: encodeForm(fields)))
    }
}

func encodeForm(_ fields: [(String, String)]) -> String {
    func encode(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
    return fields.map { encode($0.0) + "=" + encode($0.1) }.joined(separator: "&")
}

extension TestResponse {
    var text: String { String(buffer: self.body) }

    /// The members of a problem (RFC 9457).
    func problem() throws -> [String: String] {
        let object = try JSONSerialization.jsonObject(with: Data(self.body.readableBytesView)) as? [String: Any] ?? [:]
        return object.mapValues { "\($0)" }
    }
}
