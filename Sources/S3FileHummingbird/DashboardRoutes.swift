import HTTPTypes
public import Hummingbird
import NIOCore
import S3FileHTTP
public import S3File

/// The dashboard: queues, failures, buckets, workers and single uploads, for those who run the app.
///
/// It has no login of its own. Mount it behind the one that the app has; whoever gets past that may read:
/// ```swift
/// router.group("admin")
///     .add(middleware: AuthMiddleware())
///     .add(middleware: StaffOnly())                          // answers 403 to everybody else
///     .addRoutes(DashboardRoutes(uploads: uploads) { _, context in context.identity?.isOperator ?? false }.endpoints)
/// ```
/// Without the closure nobody may change anything: there are no buttons then, and their requests are refused. What there is to ask for:
/// `DashboardEndpoints.Route`. Pages link relatively, so any place will do, also one that a proxy calls otherwise.
///
/// The app's database role needs `s3file_web` to show it, and `s3file_operator` as well for the buttons.
public struct DashboardRoutes<Context: RequestContext>: Sendable {
    /// Whether a request may change something: retry, cancel, pause and resume.
    public typealias Permission = @Sendable (Request, Context) async throws -> Bool

    var answers: DashboardEndpoints
    private let mayChange: Permission

    /// - Parameters:
    ///   - uploads: the uploads of the app; it must run, as it does beside the server, for pages to stay current by themselves.
    ///   - context: the type of the router's contexts, where it is not told by the closure.
    ///   - mayChange: who sees the buttons and may press them; nobody, unless it is said.
    public init(
        uploads: Uploads,
        context: Context.Type = Context.self,
        mayChange: @escaping Permission = { _, _ in false }
    ) {
        self.answers = DashboardEndpoints(uploads: uploads)
        self.mayChange = mayChange
    }

    /// The routes, relative to where they are mounted.
    public var endpoints: RouteCollection<Context> {
        let (answers, mayChange) = (self.answers, self.mayChange)
        let routes = RouteCollection(context: Context.self)
        for route in DashboardEndpoints.Route.allCases {
            routes.on(RouterPath(route.path), method: route.method) { request, context in
                let inbound = InboundClose(of: request)
                var asked = DashboardRequest(
                    head: request.head,
                    parameters: Dictionary(context.parameters.map { (String($0.key), String($0.value)) }) { first, _ in first },
                    mayChange: { try await mayChange(request, context) }
                )
                if route.method != .get { asked.body = try await request.body.collect(upTo: DashboardEndpoints.largestBody) }
                return Response(try await answers.answer(route, asked), inbound)
            }
        }
        return routes
    }
}
