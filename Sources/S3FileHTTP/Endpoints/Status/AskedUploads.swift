import HTTPTypes
import S3File

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// Which uploads a request asks for, each with its token when it brings one.
struct AskedUploads: Sendable {
    struct Entry: Sendable {
        var id: UUID
        var token: String?
    }

    /// Of one request. A page with more rows asks several times.
    static let most = 100

    /// In the order asked, each once.
    let entries: [Entry]

    init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// `upload={id}.{token}`, once for each. Without `.{token}` the app's authoriser alone decides.
    init(query: [(name: String, value: String)]) throws(Problem) {
        let values = query.filter { $0.name == "upload" }.map(\.value)
        guard !values.isEmpty else {
            throw Self.problem("upload_required", "Name the uploads, as ?upload={id}.{token}&upload={id}.{token}.")
        }
        guard values.count <= Self.most else {
            throw Self.problem(
                "too_many_uploads",
                "One request may ask for \(Self.most) uploads, and this one asks for \(values.count). Ask several times."
            )
        }
        var seen: Set<UUID> = []
        var entries: [Entry] = []
        for value in values {
            let parts = value.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard let id = UUID(canonical: parts[0]) else {
                throw Self.problem(
                    "malformed_upload",
                    "An upload is named by its id and its token, with a dot between: {id}.{token}."
                )
            }
            if seen.insert(id).inserted { entries.append(Entry(id: id, token: parts.count > 1 ? String(parts[1]) : nil)) }
        }
        self.entries = entries
    }

    private static func problem(_ code: String, _ detail: String) -> Problem {
        Problem(status: .badRequest, code: code, detail: detail)
    }
}

extension UUID {
    /// Its 36 characters and nothing else.
    package init?(canonical text: some StringProtocol) {
        guard text.utf8.count == 36 else { return nil }
        self.init(uuidString: String(text))
    }
}
