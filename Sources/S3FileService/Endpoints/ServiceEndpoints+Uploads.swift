import HTTPTypes
import NIOCore
import NIOFoundationCompat
import S3File
import S3FileHTTP

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ServiceEndpoints {
    /// `GET v1/uploads/{id}`
    func upload(_ request: ServiceRequest) async throws -> HTTPAnswer {
        let unknown = Problem(
            status: .notFound,
            code: "unknown_upload",
            detail: "There is no upload with this id that the key may see."
        )
        guard let id = request.parameters["id"].flatMap({ UUID(canonical: $0) }) else { throw unknown }
        guard let upload = try await self.uploads.upload(id), request.key.mayUse(upload.field) else { throw unknown }
        return HTTPAnswer(status: .ok, headers: Self.json, body: .bytes(try await self.document(upload)))
    }

    /// `GET v1/uploads?id=…&id=…` or `?owner=…&limit=…`
    func uploads(_ request: ServiceRequest) async throws -> HTTPAnswer {
        let names = Set(request.query.map(\.name))
        if let stranger = names.subtracting(["id", "owner", "limit"]).min() {
            throw Self.invalidQuery("\"\(stranger.prefix(64))\" is not known here. Ask by id, or by owner and limit.")
        }
        let ids = request.query.filter { $0.name == "id" }.map(\.value)
        let owners = request.query.filter { $0.name == "owner" }.map(\.value)
        guard ids.isEmpty != owners.isEmpty, owners.count <= 1 else {
            throw Self.invalidQuery("Ask by ?id={id}&id={id}, or by ?owner={owner}, and not by both.")
        }
        guard let owner = owners.first else {
            guard !names.contains("limit") else { throw Self.invalidQuery("limit goes with owner alone.") }
            return try await self.answer(try Self.ids(ofQuery: ids), owner: nil, request)
        }
        guard JSONReading.isOwner(owner) else {
            throw Self.invalidQuery("owner must have 1 to 255 bytes, and no control characters.")
        }
        let limits = request.query.filter { $0.name == "limit" }.map(\.value)
        let limit = limits.first.map { Int($0) } ?? 50
        guard limits.count <= 1, let limit, (1...1_000).contains(limit) else {
            throw Self.invalidQuery("limit must be a whole number from 1 to 1000.")
        }
        let recent = try await self.uploads.recent(owner: owner, fields: request.key.fields, limit: limit)
        return try await self.list(recent)
    }

    /// `POST v1/uploads/…` with `ids`, and `owner` when only that owner's uploads are meant: does it to those that there are, which may have
    /// been done before, and tells how they stand then.
    func change(_ request: ServiceRequest, _ change: ([UUID]) async throws -> Void) async throws -> HTTPAnswer {
        let asked = try request.read(members: ["ids", "owner"]) { reading, object throws(Problem) in
            (ids: reading.ids(object, "ids", most: Self.mostIDs), owner: reading.owner(object, "owner"))
        }
        let known = try await self.uploads.uploads(asked.ids)
        try await change(asked.ids.filter { Self.mayBeSeen(known[$0], asked.owner, request.key) })
        return try await self.answer(asked.ids, owner: asked.owner, request)
    }

    private static func mayBeSeen(_ upload: Upload?, _ owner: String?, _ key: APIKey) -> Bool {
        guard let upload else { return false }
        return key.mayUse(upload.field) && (owner == nil || upload.owner.map { Array($0.utf8) } == owner.map { Array($0.utf8) })
    }

    private func answer(_ ids: [UUID], owner: String?, _ request: ServiceRequest) async throws -> HTTPAnswer {
        let known = try await self.uploads.uploads(ids).filter { Self.mayBeSeen($0.value, owner, request.key) }
        let unknown = ids.filter { known[$0] == nil }.map { "\"\($0.uuidString.lowercased())\"" }
        return try await self.list(ids.compactMap { known[$0] }, prefix: "\"unknown\":[\(unknown.joined(separator: ","))],")
    }

    private static func ids(ofQuery texts: [String]) throws(Problem) -> [UUID] {
        guard texts.count <= Self.mostIDsOfQuery else {
            throw Problem(
                status: .badRequest,
                code: "too_many_uploads",
                detail:
                    "One request may ask for \(Self.mostIDsOfQuery) uploads, and this one asks for \(texts.count). Ask several times."
            )
        }
        var seen: Set<UUID> = []
        var ids: [UUID] = []
        for text in texts {
            guard let id = UUID(canonical: text) else {
                throw Self.invalidQuery(
                    "\"\(text.prefix(64))\" is no upload's id, which looks like 0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60."
                )
            }
            if seen.insert(id).inserted { ids.append(id) }
        }
        return ids
    }

    private static func invalidQuery(_ detail: String) -> Problem {
        Problem(status: .badRequest, code: "invalid_query", detail: detail)
    }

    // MARK: Documents

    private static let json: HTTPFields = [
        .contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]

    /// - Parameter prefix: further members, each with a comma after it.
    func list(_ uploads: [Upload], prefix: String = "") async throws -> HTTPAnswer {
        var body = ByteBuffer(string: "{\(prefix)\"uploads\":[")
        for (index, upload) in uploads.enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeImmutableBuffer(try await self.document(upload))
        }
        body.writeString("]}")
        return HTTPAnswer(status: .ok, headers: Self.json, body: .bytes(body))
    }

    /// An upload as the status API has it, and what only the app may know: whose it is, and the token that opens its status to a page. Written
    /// into the same text, so that there is one shape for all readers.
    private func document(_ upload: Upload) async throws -> ByteBuffer {
        struct More: Encodable {
            var owner: String?
            var statusPath: String
            var statusToken: String
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let more = try encoder.encode(
            More(
                owner: upload.owner,
                statusPath: self.uploads.paths.status(of: upload.id, in: self.uploads),
                statusToken: self.uploads.statusToken(for: upload.id)
            )
        )
        var body = ByteBuffer(data: try upload.json(url: try await self.uploads.url(of: upload)).dropLast())
        body.writeString(",")
        body.writeBytes(more.dropFirst())
        return body
    }
}
