import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import S3

/// A request's context that knows its connection, so that a fault can cut it.
struct S3RequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.channel = source.channel
    }
}

/// Turns requests into operations, and errors into S3's answers. There is no router: any path is a key.
struct S3Responder: HTTPResponder {
    typealias Context = S3RequestContext

    let operations: Operations
    let logger: Logger
    private let faults: Faults
    private let faultSwitch: FaultSwitch?

    init(operations: Operations, logger: Logger) {
        self.operations = operations
        self.logger = logger
        self.faults = operations.configuration.faults
        self.faultSwitch = operations.configuration.faultRules.map { FaultSwitch($0) }
    }

    func respond(to request: Request, context: Context) async throws -> Response {
        if let faultSwitch, request.head.path == FaultControl.path {
            return try await FaultControl(faults: faultSwitch).respond(to: request)
        }
        let id = Self.requestID()
        var operation: Faults.Operation?
        var plan = FaultPlan()
        var response: Response
        do {
            let s3Request = try S3Request(request, id: id)
            let named = s3Request.operation
            operation = named
            plan = self.faultSwitch?.plan(named) ?? plan
            let latency = self.faults.latency(named) + plan.latency
            if latency > .zero {
                try await Task.sleep(for: latency)
            }
            if plan.fault?.kind == .loseRequest {
                try await context.channel.close()
            }
            if let refusal = plan.refusal(of: named) {
                throw refusal
            }
            response = try await self.operations.perform(s3Request)
        } catch {
            response = self.answer(to: error, request, id: id)
        }
        if let operation, self.faults.losesReply(operation) || plan.losesReply(response) {
            try await context.channel.close()
        }
        response.headers.set("x-amz-request-id", id)
        if let origin = request.headers[.origin] {
            self.decorate(&response, of: request, origin: origin, bucket: operation?.bucket)
        }
        return plan.fault == nil ? response : plan.spoil(response)
    }

    private static func requestID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// A preflight asks for the method that is to come.
    private func decorate(_ response: inout Response, of request: Request, origin: String, bucket: String?) {
        let isPreflight = request.method == .options
        guard !isPreflight || response.status == .ok else {
            return
        }
        let asked = isPreflight ? HTTPField.Name.s3("access-control-request-method").flatMap { request.headers[$0] } : nil
        CORS.decorate(
            &response.headers,
            origin: origin,
            method: asked ?? request.method.rawValue,
            rules: self.operations.corsRules(of: bucket)
        )
    }

    private func answer(to error: any Error, _ request: Request, id: String) -> Response {
        let refusal: Refusal
        if let error = error as? Refusal {
            refusal = error
        } else if let error = error as? S3Error {
            // S3 says where the bucket is, in a header, too, for a HEAD has nothing else.
            let region = error.region.map { [$0] } ?? []
            refusal = Refusal(
                error,
                headers: region.map { ("x-amz-bucket-region", $0) },
                elements: region.map { ("Region", $0) }
            )
        } else {
            // A client that goes away in the middle ends here as well: nobody reads the answer then.
            self.logger.info("S3DevServer could not finish a request", metadata: ["error": "\(error)", "s3.request.id": "\(id)"])
            refusal = Refusal(
                S3Error(.internalError, status: 500, message: "We encountered an internal error. Please try again.")
            )
        }
        let path = request.head.path ?? "/"
        return Response.failure(
            refusal,
            resource: String(path.prefix { $0 != "?" }),
            requestID: id,
            isHead: request.method == .head
        )
    }
}
