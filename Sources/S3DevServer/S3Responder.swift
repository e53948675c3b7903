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

    func respond(to request: Request, context: Context) async throws -> Response {
        let id = SigV4.hexadecimal((0..<8).map { _ in UInt8.random(in: .min ... .max) }).uppercased()
        var operation: Faults.Operation?
        var response: Response
        do {
            let s3Request = try S3Request(request, id: id)
            operation = s3Request.operation
            let latency = self.operations.configuration.faults.latency(s3Request.operation)
            if latency > .zero {
                try await Task.sleep(for: latency)
            }
            response = try await self.operations.perform(s3Request)
        } catch {
            response = self.answer(to: error, request, id: id)
        }
        if let operation, self.operations.configuration.faults.losesReply(operation) {
            try await context.channel.close()
        }
        response.headers.set("x-amz-request-id", id)
        if let origin = request.headers[.origin] {
            self.decorate(&response, of: request, origin: origin, bucket: operation?.bucket)
        }
        return response
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
            refusal = Refusal(error)
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
