import HTTPTypes
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension UploadEndpoints {
    /// `POST inputs` with a form of `ticket`: a fresh policy for a page whose own has run out.
    func inputs(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let ticket = try request.form().required("ticket")
        let form = try await self.uploads.renewedForm(ticket: ticket, subject: try await request.subject())
        return try .json(
            FreshInput(
                url: form.url,
                fields: Dictionary(form.fields.map { ($0.name, $0.value) }) { first, _ in first },
                ticket: form.ticket,
                expiresAt: form.expiresAt,
                ticketExpiresAt: form.ticketExpiresAt
            )
        )
    }

    private struct FreshInput: Encodable {
        var url: String
        var fields: [String: String]
        var ticket: String
        var expiresAt: Date
        var ticketExpiresAt: Date
    }
}

extension EndpointRequest {
    /// The body, as a form.
    func form() throws -> FormBody {
        guard let contentType = self.headers[.contentType], FormBody.canParse(contentType: contentType) else {
            throw Problem(
                status: .unsupportedMediaType,
                code: "malformed_form",
                detail: "The body must be a form: application/x-www-form-urlencoded."
            )
        }
        return try FormBody.parse(
            self.body,
            contentType: contentType,
            limits: FormBody.Limits(bytes: UploadEndpoints.largestBody)
        )
    }
}

extension FormBody {
    func required(_ name: String) throws -> String {
        guard let value = self[name] else {
            throw Problem(status: .badRequest, code: "malformed_form", detail: "The form has no \(name).")
        }
        return value
    }
}

extension HTTPAnswer {
    /// JSON that no cache keeps: it holds what lets its reader upload. Times are RFC 3339.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> HTTPAnswer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return HTTPAnswer(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
            body: .bytes(ByteBuffer(bytes: try encoder.encode(value)))
        )
    }
}
