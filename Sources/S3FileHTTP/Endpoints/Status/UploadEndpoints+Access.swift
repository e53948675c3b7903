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
        guard request.authorise != nil || asked.entries.allSatisfy({ $0.token != nil }) else {
            throw Problem(
                status: .unauthorized,
                code: "token_required",
                detail:
                    "The status of an upload needs its token, as ?token= or as Authorization: Bearer; of several, as ?upload={id}.{token}.",
                headers: [.wwwAuthenticate: "Bearer"]
            )
        }
        let opened = asked.entries.map { entry in
            (id: entry.id, hasToken: entry.token.map { self.uploads.isValid(statusToken: $0, for: entry.id) } ?? false)
        }
        let wanted = opened.filter { $0.hasToken || request.authorise != nil }.map { $0.id }
        let known = try await self.reading { try await self.uploads.uploads(wanted) }
        var readable: [Upload] = []
        for (id, hasToken) in opened {
            guard let upload = known[id] else { continue }
            if hasToken {
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
