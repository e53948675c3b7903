import HTTPTypes
public import Hummingbird
import NIOCore
import S3FileHTTP
public import S3File

/// The script, the stylesheet, what the script asks for, and the status of uploads.
///
/// ```swift
/// UploadRoutes(uploads: uploads).add(to: router)                              // at /s3file
/// router.addRoutes(UploadRoutes(uploads: uploads).endpoints, atPath: "/files")   // or anywhere, with `Uploads(paths:)` to match
/// ```
/// With `subject`, behind the app's session middleware, pages work for as long as the session does: the script exchanges a ticket that
/// ended for a new one.
/// What there is to ask for: ``UploadEndpoints/Route``.
public struct UploadRoutes<Context: RequestContext>: Sendable {
    private let answers: UploadEndpoints
    private let subject: @Sendable (Request, Context) async throws -> String?

    /// - Parameter subject: the user or session that asks; the same value that was given to `Uploads.input`. `nil` when there is none: then
    ///   only a live ticket counts.
    public init(
        uploads: Uploads,
        context: Context.Type = Context.self,
        subject: @escaping @Sendable (Request, Context) async throws -> String? = { _, _ in nil }
    ) {
        self.answers = UploadEndpoints(uploads: uploads)
        self.subject = subject
    }

    /// Adds the routes at the place that drawn inputs name.
    public func add(to router: some RouterMethods<Context>) {
        router.addRoutes(self.endpoints, atPath: RouterPath(self.answers.paths.root))
    }

    /// The routes, relative to where they are mounted.
    public var endpoints: RouteCollection<Context> {
        let (answers, subject) = (self.answers, self.subject)
        let routes = RouteCollection(context: Context.self)
        for route in UploadEndpoints.Route.allCases {
            routes.on(RouterPath(route.path), method: route.method) { request, context in
                Response(try await answers.answer(route, try await EndpointRequest(request, context, subject)))
            }
        }
        return routes
    }
}

extension EndpointRequest {
    fileprivate init<Context: RequestContext>(
        _ request: Request,
        _ context: Context,
        _ subject: @escaping @Sendable (Request, Context) async throws -> String?
    ) async throws {
        self.init(
            headers: request.headers,
            parameters: Dictionary(context.parameters.map { (String($0.key), String($0.value)) }) { first, _ in first },
            query: request.uri.queryParameters.map { (String($0.key), String($0.value)) },
            body: try await request.body.collect(upTo: UploadEndpoints.largestBody),
            subject: { try await subject(request, context) }
        )
    }
}
