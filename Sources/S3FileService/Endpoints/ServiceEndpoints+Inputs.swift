import HTTPTypes
import S3File
import S3FileHTTP

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ServiceEndpoints {
    /// `GET v1/fields`
    func fields(_ request: ServiceRequest) throws -> HTTPAnswer {
        try .json(FieldList(fields: self.declared.filter { request.key.mayUse($0.name) }.map(DeclaredField.init)))
    }

    /// `POST v1/inputs`: draws an input, and with `form` keeps the files that a form brought and the app refused for another reason.
    func input(_ request: ServiceRequest) async throws -> HTTPAnswer {
        let asked = try request.read(members: ["field", "subject", "attributes", "form"]) { reading, object throws(Problem) in
            let name = reading.requiredText(object, "field", bytes: 1...64)
            let subject = reading.subject(object)
            let attributes = reading.texts(object, "attributes", count: 32, bytes: 0...1_024) ?? [:]
            for attribute in attributes.keys where attribute.wholeMatch(of: /[A-Za-z][A-Za-z0-9:_.\-]{0,63}/) == nil {
                reading.blame(object, "attributes", "\"\(JSONParser.shortened(attribute))\" cannot be an attribute's name")
            }
            let form = object.members["form"] == nil ? nil : reading.form(object)
            return name.map { (name: $0, subject: subject, attributes: attributes, form: form) }
        }
        let field = try self.field(asked.name, request.key)
        var kept: [UploadPromise] = []
        if let form = asked.form {
            switch try await self.take(try form.only(field), [field], asked.subject, request) {
            case .taken(let uploads): kept = uploads.promises[field.name] ?? []
            case .refused(let answer): return answer
            }
        }
        let input = try await self.uploads.input(field, subject: asked.subject, keeping: kept)
        return try .json(
            DrawnInput(
                field: field.name,
                html: input.html(attributes: asked.attributes),
                elementHTML: input.elementHTML(attributes: asked.attributes),
                keptHTML: input.keptHTML(attributes: asked.attributes),
                url: input.url,
                fields: Dictionary(input.fields.map { ($0.name, $0.value) }) { first, _ in first },
                ticket: input.ticket,
                expiresAt: input.expiresAt,
                attributes: DrawnInput.attributes(of: input),
                kept: input.kept.map { .init(filename: $0.filename, size: $0.size.bytes, receipt: $0.receipt) },
                script: self.uploads.paths.script,
                stylesheet: self.uploads.paths.stylesheet,
                uploadOrigin: try self.uploads.uploadOrigin()
            )
        )
    }
}

private struct FieldList: Encodable {
    var fields: [DeclaredField]
}

/// A field as it is declared.
private struct DeclaredField: Encodable {
    var name: String
    var accept: [String]
    var maximumSize: Int64
    var maximumCount: Int
    var required: Bool

    init(_ field: UploadField) {
        self.name = field.name
        self.accept = field.accept.map(\.description)
        self.maximumSize = field.maximumSize.bytes
        self.maximumCount = field.maximumCount
        self.required = field.required
    }
}

private struct DrawnInput: Encodable {
    struct Kept: Encodable {
        var filename: String
        var size: Int64
        var receipt: String
    }

    var field: String
    var html: String
    var elementHTML: String
    var keptHTML: String
    var url: String
    var fields: [String: String]
    var ticket: String
    var expiresAt: Date
    var attributes: [String: String]
    var kept: [Kept]
    var script: String
    var stylesheet: String
    var uploadOrigin: String

    private enum CodingKeys: String, CodingKey {
        case field, html, elementHTML = "elementHtml", keptHTML = "keptHtml", url, fields, ticket, expiresAt, attributes, kept,
            script
        case stylesheet, uploadOrigin
    }

    /// Those of the element, unescaped, for an app that writes it by itself; one without a value is empty.
    static func attributes(of input: UploadInput) -> [String: String] {
        Dictionary(input.attributes.map { ($0.name, $0.value ?? "") }) { first, _ in first }
    }
}
