import HTTPTypes
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What an address or a form asks for, read strictly: nothing is cleaned, and what is no sense is refused.
struct DashboardFields: Sendable {
    private static let urlEncoded = "application/x-www-form-urlencoded"
    /// A query with its name of a file, twice escaped, and some more.
    private static let mostBytes = 8_192
    private static let mostBytesOfValue = 1_024

    private let values: [String: String]

    /// The query of an address. Names that no page of ours asks by are passed over.
    init(query request: DashboardRequest) throws(Problem) {
        let path = request.head.path ?? ""
        let query = path.firstIndex(of: "?").map { path[path.index(after: $0)...].prefix { $0 != "#" } } ?? ""
        try self.init(ByteBuffer(substring: query))
    }

    /// A posted form.
    init(form request: DashboardRequest) throws(Problem) {
        let type = request.head.headerFields[.contentType] ?? ""
        guard type.prefix(while: { $0 != ";" }).lowercased().filter({ $0 != " " }) == Self.urlEncoded else {
            throw Problem(
                status: .unsupportedMediaType,
                code: "malformed_form",
                detail: "The body must be a form: \(Self.urlEncoded)."
            )
        }
        try self.init(request.body)
    }

    private init(_ bytes: ByteBuffer) throws(Problem) {
        let form: FormBody
        do {
            form = try FormBody.parse(
                bytes,
                contentType: Self.urlEncoded,
                limits: FormBody.Limits(bytes: Self.mostBytes, fields: 32, nameBytes: 64)
            )
        } catch {
            throw Self.refusal("What was asked cannot be read: \(error.message)")
        }
        var values: [String: String] = [:]
        for (name, value) in form.fields {
            guard values[name] == nil else { throw Self.refusal("“\(name)” was given twice. Give it once.") }
            guard value.utf8.count <= Self.mostBytesOfValue else {
                throw Self.refusal("“\(name)” is longer than \(Self.mostBytesOfValue) bytes.")
            }
            guard !value.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
                throw Self.refusal("“\(name)” holds a control character.")
            }
            values[name] = value
        }
        self.values = values
    }

    /// Nil when it is not there, or empty, as fields of a form are that nobody filled in.
    subscript(name: String) -> String? {
        self.values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    func required(_ name: String) throws(Problem) -> String {
        guard let value = self[name] else { throw Self.refusal("“\(name)” is missing.") }
        return value
    }

    func id(_ name: String) throws(Problem) -> UUID? {
        guard let value = self[name] else { return nil }
        guard let id = UUID(canonical: value) else { throw Self.refusal("“\(name)” is not the id of an upload.") }
        return id
    }

    func status(_ name: String) throws(Problem) -> UploadStatus? {
        guard let value = self[name] else { return nil }
        guard let status = UploadStatus(rawValue: value) else {
            let known = UploadStatus.allCases.map(\.rawValue).joined(separator: ", ")
            throw Self.refusal("“\(name)” is none of \(known).")
        }
        return status
    }

    /// Nil for what is no number; it only says what a notice counts.
    func number(_ name: String) -> Int? {
        self[name].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    static func refusal(_ detail: String) -> Problem {
        Problem(status: .badRequest, code: "malformed_request", detail: detail)
    }
}
