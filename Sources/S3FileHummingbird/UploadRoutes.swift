import HTTPTypes
import NIOCore
public import Hummingbird
public import S3FileHTTP
public import S3File

/// The script, the stylesheet, what the script asks for, and the status of uploads.
///
/// ```swift
/// UploadRoutes(uploads: uploads).add(to: router)                              // at /s3file
/// router.addRoutes(UploadRoutes(uploads: uploads).endpoints, atPath: "/files")   // or anywhere, with `Uploads(paths:)` to match
/// ```
/// With `subject`, behind the app's session middleware, pages work for as long as the session does: the script exchanges a ticket that
/// ended for a new one.
/// What there is to ask for: `UploadEndpoints.Route`. A status is opened by its token, or by what the app says:
/// ```swift
/// UploadRoutes(uploads: uploads, authorise: { _, context, upload in upload.owner == context.identity?.id })
/// ```
public struct UploadRoutes<Context: RequestContext>: Sendable {
    /// Whether a request may read the status of an upload without its token.
    public typealias Authoriser = @Sendable (Request, Context, Upload) async throws -> Bool

    var answers: UploadEndpoints
    private let authorise: Authoriser?
    private let subject: @Sendable (Request, Context) async throws -> String?

    /// - Parameters:
    ///   - uploads: the uploads of the app.
    ///   - context: the type of the router's contexts, where it is not told by the closures.
    ///   - cors: the other origins whose pages may read statuses.
    ///   - subject: the user or session that asks; the same value that was given to `Uploads.input`. `nil` when there is none: then only a
    ///     live ticket counts.
    ///   - authorise: asked for uploads whose token was not given; `nil` refuses.
    public init(
        uploads: Uploads,
        context: Context.Type = Context.self,
        cors: CrossOrigin = .off,
        subject: @escaping @Sendable (Request, Context) async throws -> String? = { _, _ in nil },
        authorise: Authoriser? = nil
    ) {
        self.answers = UploadEndpoints(uploads: uploads, cors: cors)
        self.authorise = authorise
        self.subject = subject
    }

    /// Adds the routes at the place that drawn inputs name.
    public func add(to router: some RouterMethods<Context>) {
        router.addRoutes(self.endpoints, atPath: RouterPath(self.answers.paths.root))
    }

    /// The routes, relative to where they are mounted.
    public var endpoints: RouteCollection<Context> {
        let (answers, authorise, subject) = (self.answers, self.authorise, self.subject)
        let routes = RouteCollection(context: Context.self)
        for route in UploadEndpoints.Route.allCases {
            routes.on(RouterPath(route.path), method: route.method) { request, context in
                let inbound = InboundClose(of: request)
                var asked = EndpointRequest(request, context)
                asked.subject = { try await subject(request, context) }
                if let authorise { asked.authorise = { try await authorise(request, context, $0) } }
                if route.method != .get { asked.body = try await request.body.collect(upTo: UploadEndpoints.largestBody) }
                return Response(try await answers.answer(route, asked), inbound)
            }
        }
        return routes
    }
}

extension EndpointRequest {
    fileprivate init(_ request: Request, _ context: some RequestContext) {
        self.init(
            headers: request.headers,
            parameters: Dictionary(context.parameters.map { (String($0.key), String($0.value)) }) { first, _ in first },
            query: request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        )
    }
}
