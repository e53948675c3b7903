import HTTPTypes
public import Hummingbird
import NIOCore
public import S3FileHTTP
public import S3File

/// The script, the stylesheet, and the status of uploads.
///
/// ```swift
/// UploadRoutes(uploads: uploads).add(to: router)                              // at /s3file
/// router.addRoutes(UploadRoutes(uploads: uploads).endpoints, atPath: "/files")   // or anywhere
/// ```
/// What there is to ask for: ``UploadEndpoints/Route``.
public struct UploadRoutes<Context: RequestContext>: Sendable {
    private let answers: UploadEndpoints

    public init(uploads: Uploads, context: Context.Type = Context.self) {
        self.answers = UploadEndpoints(uploads: uploads)
    }

    /// Adds the routes at ``UploadPaths``' place.
    public func add(to router: some RouterMethods<Context>, at paths: UploadPaths = .standard) {
        router.addRoutes(self.endpoints, atPath: RouterPath(paths.root))
    }

    /// The routes, relative to where they are mounted.
    public var endpoints: RouteCollection<Context> {
        let answers = self.answers
        let routes = RouteCollection(context: Context.self)
        for route in UploadEndpoints.Route.allCases {
            routes.on(RouterPath(route.path), method: route.method) { request, context in
                Response(try await answers.answer(route, try await EndpointRequest(request, context)))
            }
        }
        return routes
    }
}

extension EndpointRequest {
    fileprivate init(_ request: Request, _ context: some RequestContext) async throws {
        self.init(
            headers: request.headers,
            parameters: Dictionary(context.parameters.map { (String($0.key), String($0.value)) }) { first, _ in first },
            query: request.uri.queryParameters.map { (String($0.key), String($0.value)) },
            body: try await request.body.collect(upTo: UploadEndpoints.largestBody)
        )
    }
}
