import HTTPTypes
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Who may read which statuses.
extension UploadEndpoints {
    /// One answer for an upload that there is not, and for one that may not be seen: nobody learns which uploads there are.
    static let unknownUpload = Problem(
        status: .notFound,
        code: "unknown_upload",
        detail: "There is no upload with this id and token."
    )

    /// What was asked for and may be seen, in the order asked; the others are left out, whatever the reason.
    ///
    /// A valid token opens its upload; for the rest the app's authoriser is asked, when there is one.
    func readable(_ asked: AskedUploads, _ request: EndpointRequest) async throws -> [Upload] {
        try await self.readable(try self.opened(asked, request), request)
    }

    /// An upload that may be seen, or of which that is the authoriser's to say.
    struct Opened: Sendable {
        var id: UUID
        var hasToken: Bool
    }

    /// What of it may be read at all, before anything is: empty when there is no right to any.
    ///
    /// - Throws: ``Problem`` when tokens are missing, and the app has no authoriser.
    func opened(_ asked: AskedUploads, _ request: EndpointRequest) throws(Problem) -> [Opened] {
        guard request.authorise != nil || asked.entries.allSatisfy({ $0.token != nil }) else {
            throw Problem(
                status: .unauthorized,
                code: "token_required",
                detail:
                    "The status of an upload needs its token, as ?token= or as Authorization: Bearer; of several, as ?upload={id}.{token}.",
                headers: [.wwwAuthenticate: "Bearer"]
            )
        }
        return asked.entries.map { entry in
            Opened(id: entry.id, hasToken: entry.token.map { self.uploads.isValid(statusToken: $0, for: entry.id) } ?? false)
        }.filter { $0.hasToken || request.authorise != nil }
    }

    func readable(_ opened: [Opened], _ request: EndpointRequest) async throws -> [Upload] {
        let known = try await self.reading { try await self.uploads.uploads(opened.map(\.id)) }
        var readable: [Upload] = []
        for entry in opened {
            guard let upload = known[entry.id] else { continue }
            if entry.hasToken {
                readable.append(upload)
            } else if let authorise = request.authorise, try await authorise(upload) {
                readable.append(upload)
            }
        }
        return readable
    }

    /// Reads the record; what goes wrong there is said in our words.
    func reading<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch {
            throw Problem(
                status: .serviceUnavailable,
                code: "database_unavailable",
                detail: "The status cannot be read just now. Ask again in a moment.",
                headers: [.retryAfter: "5"]
            )
        }
    }

    /// Begins to wait for news.
    ///
    /// - Throws: ``Problem`` when as many wait as may.
    func watch(_ uploads: [Upload]) throws -> StatusWatch {
        guard let watch = self.uploads.feed.watch(uploads) else {
            throw Problem(
                status: .serviceUnavailable,
                code: "too_many_streams",
                detail: "As many wait for news of uploads as this server admits. Ask again in a moment, or without waiting.",
                // Not all at the same moment.
                headers: [.retryAfter: "\(Int.random(in: 3...10))"]
            )
        }
        return watch
    }
}
