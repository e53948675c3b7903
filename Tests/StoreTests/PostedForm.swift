import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import S3

/// A form as a browser posts it, which a test can change at will.
struct PostedForm {
    struct Answer {
        var status: Int
        var headers: HTTPHeaders
        var document: XMLElement?

        /// Of an error.
        var code: String { self.document?["Code"]?.text ?? "none" }
    }

    var url: String
    var fields: [(name: String, value: String)]
    var filename = "photo 1.png"
    var file = String(repeating: "x", count: 100)

    init(_ presigned: (url: String, fields: [(name: String, value: String)]), status: String = "201", type: String = "image/png")
    {
        self.url = presigned.url
        self.fields = presigned.fields + [("success_action_status", status), ("Content-Type", type)]
    }

    /// The value of a field; nil takes it out.
    subscript(name: String) -> String? {
        get { self.fields.first { $0.name == name }?.value }
        set {
            guard let index = self.fields.firstIndex(where: { $0.name == name }) else {
                if let newValue { self.fields.append((name, newValue)) }
                return
            }
            if let newValue { self.fields[index].value = newValue } else { self.fields.remove(at: index) }
        }
    }

    func post(_ httpClient: HTTPClient) async throws -> Answer {
        let boundary = "----s3file\(UInt64.random(in: 0 ... .max))"
        var body = ""
        for field in self.fields {
            body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
        }
        body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(self.filename)\"\r\n"
        body += "Content-Type: image/png\r\n\r\n\(self.file)\r\n--\(boundary)--\r\n"
        var request = HTTPClientRequest(url: self.url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "multipart/form-data; boundary=\(boundary)")
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await httpClient.execute(request, timeout: .seconds(30))
        let answer = try await response.body.collect(upTo: 1 << 16)
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            document: try? XMLReader.read(answer.readableBytesView)
        )
    }
}
