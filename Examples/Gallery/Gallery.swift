import Configuration
import Foundation
import Hummingbird
import Logging
import S3File
import S3FileHummingbird

/// The example app: one form with a picture and some documents, and a page that shows how far they are.
@main
struct Gallery {
    static func main() async {
        do {
            try await Self.run()
        } catch let error as ConfigurationError {
            Self.quit(error.message)
        } catch {
            Self.quit("\(error)")
        }
    }

    static func run() async throws {
        let config = ConfigReader(providers: [CommandLineArgumentsProvider(), EnvironmentVariablesProvider()])
        var logger = Logger(label: "gallery")
        logger.logLevel = config.string(forKey: "log.level").flatMap(Logger.Level.init(rawValue:)) ?? .info
        let host = config.string(forKey: "s3file.host") ?? "127.0.0.1"
        guard let port = Int(config.string(forKey: "s3file.port") ?? "8000"), (0...65_535).contains(port) else {
            throw ConfigurationError("S3FILE_PORT must be a number between 0 and 65535")
        }

        let pages = try Pages()
        let uploads = try Uploads(reader: config, logger: logger)
        var app = Application(
            router: try Self.router(uploads: uploads, pages: pages),
            configuration: .init(address: .hostname(host, port: port)),
            logger: logger
        )
        app.addServices(uploads)
        do {
            try await app.runService()
        } catch let error where "\(error)".contains("Address already in use") {
            throw ConfigurationError(
                "port \(port) of \(host) is in use: stop the program that uses it, or set S3FILE_PORT to another one"
            )
        }
    }

    // MARK: The form

    static let avatar = UploadField("avatar", uploadTo: "avatars/%Y/%m/", accept: [.image], maximumSize: .megabytes(20))
    static let documents = UploadField(
        "documents",
        uploadTo: "documents/%Y/%m/%d/",
        maximumSize: .gigabytes(50),
        maximumCount: 10,
        options: [.immediate, .dropZone],
        resumable: .above(.megabytes(100))
    )

    /// Checked here alone, to show how a form comes back with its files.
    static let longestCaption = 80

    static func router(uploads: Uploads, pages: Pages) throws -> Router<VisitorContext> {
        let router = Router(context: VisitorContext.self, options: .autoGenerateHeadEndpoints)
        router.get("health") { _, _ in "ok\n" }
        UploadRoutes(uploads: uploads) { request, _ in VisitorMiddleware.visitor(of: request) }.add(to: router)
        // A real app has its own login before this, and says by `mayChange` who may press the buttons. There is none here, so the dashboard is
        // for whoever develops alone.
        if uploads.configuration.environment != .production {
            router.group("admin").addRoutes(DashboardRoutes(uploads: uploads) { _, _ in true }.endpoints)
        }

        let site = router.group()
            .add(middleware: SecurityHeaders(storage: try uploads.uploadOrigin(), stored: try uploads.storedOrigin()))
            .add(middleware: FriendlyErrors(pages: pages))
            .add(middleware: VisitorMiddleware(isSecure: uploads.configuration.environment == .production))
        site.get("gallery.css") { _, _ in Response.text(Stylesheet.css, type: "text/css; charset=utf-8", cache: "max-age=300") }
        site.get("favicon.svg") { _, _ in Response.text(Stylesheet.icon, type: "image/svg+xml", cache: "max-age=86400") }

        // What was uploaded with a form that has something else wrong need not be uploaded again.
        @Sendable func form(
            visitor: String,
            caption: String = "",
            keeping kept: FormUploads = FormUploads(),
            notice: String? = nil
        ) async throws -> String {
            try await pages.form(
                avatar: uploads.input(Self.avatar, subject: visitor, keeping: kept),
                documents: uploads.input(Self.documents, subject: visitor, keeping: kept),
                caption: caption,
                notice: notice
            )
        }

        site.get { _, context in
            Response.html(try await form(visitor: context.visitor))
        }
        site.add(
            middleware: S3FileMiddleware(uploads: uploads, fields: [Self.avatar, Self.documents]) { _, context in context.visitor
            }
        )
        .post { request, context in
            var request = request
            let body = try await request.collectBody(upTo: 2_097_152)
            let caption = try FormBody.parse(body, contentType: request.headers[.contentType] ?? "")["caption"] ?? ""
            guard caption.count <= Self.longestCaption else {
                return Response.html(
                    try await form(
                        visitor: context.visitor,
                        caption: caption,
                        keeping: context.uploads,
                        notice:
                            "The caption is too long: shorten it to \(Self.longestCaption) characters. Your files are still here."
                    ),
                    status: .unprocessableContent
                )
            }
            let count = context.uploads.all.count
            guard count > 0 else {
                return Response.html(
                    try await form(visitor: context.visitor, caption: caption, notice: "Choose at least one file first."),
                    status: .unprocessableContent
                )
            }
            return Response.redirect(to: "/uploads?sent=\(count)")
        }
        .get("uploads") { request, context in
            let recent = try await uploads.recent(owner: context.visitor, limit: 50)
            let sent = request.uri.queryParameters["sent"].flatMap { Int($0) } ?? 0
            return Response.html(
                pages.uploads(recent, sent: sent) { UploadPaths.standard.status(of: $0.id, in: uploads) }
            )
        }
        return router
    }

    private static func quit(_ sentence: String) -> Never {
        FileHandle.standardError.write(Data("gallery: \(sentence)\n".utf8))
        exit(1)
    }
}

extension Response {
    static func html(_ html: String, status: HTTPResponse.Status = .ok) -> Response {
        // A page has a ticket for one visitor: no cache may keep it. "no-cache" and not "no-store", which would forbid the
        // browser to come back to a half-filled form.
        .text(html, type: "text/html; charset=utf-8", cache: "no-cache, private", status: status)
    }

    static func text(_ text: String, type: String, cache: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: cache],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
