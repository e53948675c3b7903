import Foundation
import S3
import S3DevServer
import TestEnvironment

extension TestDevServer {
    /// The body of a POST to a bucket.
    struct BrowserForm: Sendable {
        var contentType: String
        var body: [UInt8]
    }

    /// A form as a browser posts it, with no signature but that of its policy, which allows just this.
    ///
    /// - Parameter fields: further ones, such as conditions.
    func form(
        _ bucket: String,
        _ key: String,
        _ content: [UInt8],
        fields: [(name: String, value: String)] = []
    ) -> BrowserForm {
        let policy = PostPolicy(
            bucket: bucket,
            key: .exact(key),
            contentLength: 0...(1 << 20),
            expiration: Date(timeIntervalSinceNow: 600),
            fields: fields.map { (name: $0.name, rule: PostPolicy.Rule.exact($0.value)) }
        )
        var all = policy.fields(credentials: self.credentials, region: self.configuration.region, now: Date())
        all.append((name: "success_action_status", value: "201"))
        all.append((name: "Content-Type", value: "text/plain"))
        let boundary = "----s3file\(UInt64.random(in: 0 ... .max))"
        var head = ""
        for field in all {
            head += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
        }
        head += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
        head += "Content-Type: text/plain\r\n\r\n"
        var body = Array(head.utf8)
        body += content
        body += Array("\r\n--\(boundary)--\r\n".utf8)
        return BrowserForm(contentType: "multipart/form-data; boundary=\(boundary)", body: body)
    }

    /// Posts one; 201 is the success that it asks for.
    func post(
        _ bucket: String,
        _ key: String,
        _ content: [UInt8],
        fields: [(name: String, value: String)] = []
    ) async throws -> Answer {
        let form = self.form(bucket, key, content, fields: fields)
        return try await self.send("POST", "/\(bucket)", headers: [("content-type", form.contentType)], body: form.body)
    }
}
