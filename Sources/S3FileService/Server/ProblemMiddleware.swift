import HTTPTypes
import Hummingbird
import NIOCore
import S3FileHTTP
import S3FileHummingbird

/// What the framework refuses, in the words of the rest: a path that there is not, a method that it does not take, a body too long.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let problem: Problem
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            problem = Self.notFound(request.uri.path)
        } catch is NIOTooManyBytesError {
            problem = Problem(status: .contentTooLarge, code: "body_too_large", detail: "The body is too large. Send less.")
        }
        return Response(problem.details(), InboundClose(of: request))
    }

    /// 405 when the path takes other methods. <https://www.rfc-editor.org/rfc/rfc9110#name-405-method-not-allowed>
    private static func notFound(_ path: String) -> Problem {
        let methods = Self.methods(of: path)
        guard !methods.isEmpty else {
            return Problem(
                status: .notFound,
                code: "unknown_path",
                detail: "There is nothing at this path. GET /v1/openapi.json tells what there is."
            )
        }
        let allowed = methods.map(\.rawValue).joined(separator: ", ")
        return Problem(
            status: .methodNotAllowed,
            code: "method_not_allowed",
            detail: "This path takes \(allowed).",
            headers: [.allow: allowed]
        )
    }

    private static func methods(of path: String) -> [HTTPRequest.Method] {
        let parts = path.split(separator: "/")
        let routes =
            ServiceRoute.allCases.map { (template: $0.path, method: $0.method) }
            + UploadEndpoints.Route.allCases.map { (template: "s3file/" + $0.path, method: $0.method) }
        let matching = routes.filter { Self.matches($0.template, parts) }
        // As the router has it: a path that is named goes before one with a variable part.
        let named = matching.filter { !$0.template.contains(":") }
        let methods = Set((named.isEmpty ? matching : named).map(\.method))
        return (methods.contains(.get) ? methods.union([.head]) : methods).sorted { $0.rawValue < $1.rawValue }
    }

    private static func matches(_ template: String, _ parts: [Substring]) -> Bool {
        let names = template.split(separator: "/")
        return names.count == parts.count && zip(names, parts).allSatisfy { $0.hasPrefix(":") || $0 == $1 }
    }
}
