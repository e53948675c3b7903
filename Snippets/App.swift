//! A form, its page and its handler, in a Hummingbird app.

// snippet.hide
// Where a build has a part of the package alone, there is nothing to show.
#if canImport(S3FileHummingbird)
    // snippet.show
    // snippet.context
    import Configuration
    import Hummingbird
    import Logging
    import S3File
    import S3FileHummingbird

    struct AppContext: S3FileRequestContext {
        var coreContext: CoreRequestContextStorage
        var uploads = FormUploads()
        init(source: Source) { self.coreContext = .init(source: source) }
    }
    // snippet.end

    // In a real app: who is signed in, and what he may do.
    extension AppContext {
        var isOperator: Bool { false }
    }

    struct StaffOnly: RouterMiddleware {
        func handle(
            _ request: Request,
            context: AppContext,
            next: @concurrent (Request, AppContext) async throws -> Response
        ) async throws -> Response {
            guard context.isOperator else { throw HTTPError(.forbidden) }
            return try await next(request, context)
        }
    }

    // snippet.fields
    let report = UploadField("report", uploadTo: "reports/%Y/%m/", accept: [.pdf], maximumSize: .gigabytes(2))
    let film = UploadField(
        "film",
        uploadTo: "films/%Y/",
        accept: [.video],
        maximumSize: .gigabytes(200),
        options: [.immediate, .dropZone],
        resumable: .above(.megabytes(100))
    )
    let invoice = UploadField(
        "invoice",
        uploadTo: "invoices/{owner}/%Y/",
        accept: [.pdf],
        maximumSize: .megabytes(20),
        storage: StorageSettings(
            cacheControl: "private",
            storageClass: "STANDARD_IA",
            encryption: .kms(keyID: nil),
            tags: ["kind": "invoice"]
        )
    )
    // snippet.end

    // snippet.uploads
    let logger = Logger(label: "app")
    let uploads = try Uploads(reader: ConfigReader(provider: EnvironmentVariablesProvider()), logger: logger)
    // snippet.end

    // snippet.routes
    let router = Router(context: AppContext.self)
    UploadRoutes(
        uploads: uploads,
        context: AppContext.self,
        // Or whoever the session says that it is.
        authorise: { _, _, upload in upload.owner == "user-42" }
    ).add(to: router)
    // snippet.end

    // snippet.dashboard
    router.group("admin")
        .add(middleware: StaffOnly())
        .addRoutes(DashboardRoutes(uploads: uploads, context: AppContext.self) { _, context in context.isOperator }.endpoints)
    // snippet.end

    // snippet.page
    @Sendable func page(for user: String, keeping form: FormUploads = FormUploads()) async throws -> String {
        let input = try await uploads.input(report, subject: user, keeping: form)
        return """
            <script type="module" src="\(uploads.paths.script)"></script>
            <form method="post" enctype="multipart/form-data">\(input.html())\(input.keptHTML())<button>Send</button></form>
            """
    }
    // snippet.end

    // snippet.handler
    router.group()
        .add(middleware: S3FileMiddleware(uploads: uploads, fields: [report]) { _, _ in "user-42" })
        .post("/reports") { _, context in
            // The files are in S3, verified and enqueued; they are stored if this answers below 400.
            context.uploads["report"].map { "\($0.filename), \($0.size) bytes, will be at \($0.key ?? "")\n" }.joined()
        }
    // snippet.end

    // snippet.reading
    router.group()
        .add(middleware: S3FileMiddleware(uploads: uploads, fields: [report]) { _, _ in "user-42" })
        .post("/checked") { _, context in
            for file in context.uploads["report"] {
                var beginning = ByteBuffer()
                for try await chunk in file.body(0..<5) { beginning.writeImmutableBuffer(chunk) }
                guard String(buffer: beginning) == "%PDF-" else {
                    throw UploadError(.wrongType, field: "report", filename: file.filename, message: "This is no PDF.")
                }
            }
            return "Thank you.\n"
        }
    // snippet.end

    // snippet.manual
    router.group()
        .add(middleware: S3FileMiddleware(uploads: uploads, fields: [film], mode: .manual) { _, _ in "user-42" })
        .post("/films") { _, context in
            // What is not enqueued here is no upload, and is swept away after a day.
            let enqueued = try await uploads.enqueue(
                context.uploads.promises["film", default: []],
                metadata: #"{"project": "Q3"}"#,
                placement: QueuePlacement(priority: 5, maxAttempts: 20)
            )
            return enqueued.map { "\($0.id)\n" }.joined()
        }
    // snippet.end

    // snippet.run
    var app = Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 8080)), logger: logger)
    app.addServices(uploads)
    try await app.runService()
// snippet.end
// snippet.hide
#endif
