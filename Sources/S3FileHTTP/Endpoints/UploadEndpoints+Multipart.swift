import HTTPTypes
import S3File

/// Files that the script uploads in parts: the browser sends them to S3, to URLs that are signed here.
extension UploadEndpoints {
    /// `POST multipart` with a form of `ticket`, `size` and `type`: begins one.
    func beginMultipart(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let form = try request.form()
        guard let size = Int64(try form.required("size")) else {
            throw Problem(status: .badRequest, code: "malformed_form", detail: "The form's size is not a number of bytes.")
        }
        let (upload, token) = try await self.uploads.resumable.begin(
            ticket: try form.required("ticket"),
            size: size,
            contentType: form["type"] ?? ""
        )
        return try .json(BegunMultipart(upload: token, key: upload.key, partSize: upload.partSize), status: .created)
    }

    /// `POST multipart/parts` with a form of `upload` and up to 100 times `part`: URLs for these.
    func multipartURLs(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let form = try request.form()
        let numbers = form.values(named: "part").map { Int($0) ?? 0 }
        let urls = try await self.uploads.resumable.urls(of: numbers, token: try form.required("upload"))
        return try .json(MultipartURLs(parts: urls.map { .init(number: $0.number, url: $0.url) }))
    }

    /// `GET multipart?upload=…`: the numbers of the parts that the store has.
    func multipartParts(_ request: EndpointRequest) async throws -> HTTPAnswer {
        try .json(MultipartParts(parts: try await self.uploads.resumable.parts(token: try request.multipartToken())))
    }

    /// `POST multipart/complete` with a form of `upload`: makes the object of its parts.
    func completeMultipart(_ request: EndpointRequest) async throws -> HTTPAnswer {
        let upload = try await self.uploads.resumable.complete(token: try request.form().required("upload"))
        return try .json(CompletedMultipart(key: upload.key, size: upload.size))
    }

    /// `DELETE multipart?upload=…`: gives one up.
    func abortMultipart(_ request: EndpointRequest) async throws -> HTTPAnswer {
        try await self.uploads.resumable.abort(token: try request.multipartToken())
        return HTTPAnswer(status: .noContent)
    }

    private struct BegunMultipart: Encodable {
        var upload: String
        var key: String
        var partSize: Int64
    }

    private struct MultipartURLs: Encodable {
        struct Part: Encodable {
            var number: Int
            var url: String
        }
        var parts: [Part]
    }

    private struct MultipartParts: Encodable {
        var parts: [Int]
    }

    private struct CompletedMultipart: Encodable {
        var key: String
        var size: Int64
    }
}

extension EndpointRequest {
    fileprivate func multipartToken() throws -> String {
        guard let token = self.queryValue("upload") else {
            throw Problem(status: .badRequest, code: "malformed_request", detail: "The query has no upload.")
        }
        return token
    }
}
