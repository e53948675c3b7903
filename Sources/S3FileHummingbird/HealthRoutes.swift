public import Hummingbird
public import S3File
import S3FileHTTP
public import S3FileObservability

/// `/health/live`, `/health/ready` and `/metrics`.
///
/// ```swift
/// let metrics = PrometheusMetrics()
/// MetricsSystem.bootstrap(metrics)                               // before `Uploads` is made
/// HealthRoutes([uploads], metrics: metrics).add(to: router)      // at the root
/// router.addRoutes(HealthRoutes([uploads]).endpoints, atPath: "/internal")   // or anywhere
/// ```
/// Let a proxy in front keep them from the world: `HealthEndpoints`.
public struct HealthRoutes<Context: RequestContext>: Sendable {
    private let answers: HealthEndpoints

    /// - Parameters:
    ///   - reporters: what the process does.
    ///   - metrics: what `MetricsSystem` was bootstrapped with; `nil` leaves `/metrics` out.
    ///   - context: the type of the router's contexts, where it is not told otherwise.
    public init(
        _ reporters: [any HealthReporting],
        metrics: PrometheusMetrics? = nil,
        context: Context.Type = Context.self
    ) {
        self.answers = HealthEndpoints(reporters, metrics: metrics)
    }

    /// Adds the routes at the root.
    public func add(to router: some RouterMethods<Context>) {
        router.addRoutes(self.endpoints, atPath: "/")
    }

    /// The routes, relative to where they are mounted.
    public var endpoints: RouteCollection<Context> {
        let answers = self.answers
        let routes = RouteCollection(context: Context.self)
        for route in answers.routes {
            routes.on(RouterPath(route.path), method: .get) { request, _ in
                Response(answers.answer(route), InboundClose(of: request))
            }
        }
        return routes
    }
}
