import Hummingbird
import S3File
import S3FileHummingbird

/// An app as somebody may write it: reports with a file each, drawn for and taken from the user that is signed in.
struct ReportApp {
    static let report = UploadField("report", uploadTo: "reports/", accept: [.pdf], maximumSize: .megabytes(1), maximumCount: 2)

    struct Context: S3FileRequestContext {
        var coreContext: CoreRequestContextStorage
        var uploads = FormUploads()
        var user = ""

        init(source: Source) {
            self.coreContext = .init(source: source)
        }
    }

    /// Stands in for the app's own: whose session it is, by a cookie.
    struct SignedIn: RouterMiddleware {
        func handle(
            _ request: Request,
            context: Context,
            next: @concurrent (Request, Context) async throws -> Response
        ) async throws -> Response {
            guard let user = request.cookies["session"]?.value else { throw HTTPError(.unauthorized) }
            var context = context
            context.user = user
            return try await next(request, context)
        }
    }

    static func router(uploads: Uploads) -> Router<Context> {
        let router = Router(context: Context.self)
        UploadRoutes(uploads: uploads).add(to: router)
        let signedIn = router.group("report").add(middleware: SignedIn())
        signedIn.get { _, context in
            let input = try await uploads.input(Self.report, subject: context.user).html()
            let page = "<form method=post enctype=multipart/form-data><input name=title>\(input)<button>Send</button></form>"
            return Response(status: .ok, headers: [.contentType: "text/html"], body: .init(byteBuffer: .init(string: page)))
        }
        signedIn
            .add(middleware: S3FileMiddleware(uploads: uploads, fields: [Self.report]) { _, context in context.user })
            .post { _, context in
                guard let title = context.uploads.form["title"], !title.isEmpty else {
                    return Response(status: .unprocessableContent)
                }
                let beginning = try await context.uploads["report"].first?.body(0..<8).collect(upTo: 8)
                let lines = context.uploads["report"].map { "\(title): \($0.filename) will be at \($0.key ?? "")" }
                let text = (lines + ["It begins with \(String(buffer: beginning ?? .init()))"]).joined(separator: "\n")
                return Response(status: .ok, body: .init(byteBuffer: .init(string: text)))
            }
        return router
    }
}
