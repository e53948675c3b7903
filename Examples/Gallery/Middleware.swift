import Hummingbird
import Logging
import S3FileHummingbird

/// A request, who sent it, and what it uploaded.
struct VisitorContext: S3FileRequestContext {
    var coreContext: CoreRequestContextStorage
    var uploads = FormUploads()
    var visitor = ""

    init(source: Source) {
        self.coreContext = .init(source: source)
    }
}

/// Gives each browser a random name of its own: the owner of its uploads. An app with accounts has its users instead.
struct VisitorMiddleware: RouterMiddleware {
    let isSecure: Bool

    func handle(
        _ request: Request,
        context: VisitorContext,
        next: @concurrent (Request, VisitorContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if let known = Self.visitor(of: request) {
            context.visitor = known
            return try await next(request, context)
        }
        context.visitor = Self.random()
        var response = try await next(request, context)
        response.setCookie(
            Cookie(
                name: "visitor",
                value: context.visitor,
                maxAge: 365 * 86_400,
                path: "/",
                secure: self.isSecure,
                httpOnly: true,
                sameSite: .lax
            )
        )
        return response
    }

    /// The name that the browser was given before; `nil` when it was given none.
    static func visitor(of request: Request) -> String? {
        request.cookies["visitor"].map(\.value).flatMap { Self.isValid($0) ? $0 : nil }
    }

    private static func isValid(_ visitor: String) -> Bool {
        visitor.utf8.count == 32
            && visitor.utf8.allSatisfy { ("0"..."9").contains(Unicode.Scalar($0)) || ("a"..."f").contains(Unicode.Scalar($0)) }
    }

    /// 128 random bits.
    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// Nothing runs, and nothing is loaded, that does not come from here or from the storage.
struct SecurityHeaders: RouterMiddleware {
    let policy: String

    /// - Parameters:
    ///   - storage: where the browser sends files to.
    ///   - stored: where it reads stored ones from.
    init(storage: String, stored: String) {
        self.policy = [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' \(stored)",
            "connect-src 'self' \(storage)", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
    }

    func handle(
        _ request: Request,
        context: VisitorContext,
        next: @concurrent (Request, VisitorContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.contentSecurityPolicy] = self.policy
        response.headers[.xContentTypeOptions] = "nosniff"
        if let referrerPolicy = HTTPFields.Element.Name("Referrer-Policy") {
            response.headers[referrerPolicy] = "same-origin"
        }
        return response
    }
}

/// A page instead of an empty answer when the database or the storage is away.
struct FriendlyErrors: RouterMiddleware {
    let pages: Pages

    func handle(
        _ request: Request,
        context: VisitorContext,
        next: @concurrent (Request, VisitorContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as any HTTPResponseError {
            throw error
        } catch {
            context.logger.error("A request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return Response.html(self.pages.apology(), status: .serviceUnavailable)
        }
    }
}
