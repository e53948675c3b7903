import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
import S3File

/// Posts real forms, made as for a browser: a good one has to be taken, and bad ones refused.
struct FormCheck: Sendable {
    /// The largest file that the policy allows, in bytes.
    private static let largest = 1_000

    let client: S3Client
    let objects: CheckObjects
    let httpClient: HTTPClient

    /// A form as it is posted.
    private struct Form {
        var fields: [(name: String, value: String)]
        var type = "image/png"
        var file = String(repeating: "x", count: 100)

        subscript(name: String) -> String {
            get { self.fields.first { $0.name == name }?.value ?? "" }
            set {
                for index in self.fields.indices where self.fields[index].name == name { self.fields[index].value = newValue }
            }
        }
    }

    private struct Answer {
        var status: Int
        var code: String
        var headers: HTTPHeaders
    }

    /// - Parameter origin: of a page, which must be allowed to read the answer.
    func check(origin: String?, _ report: inout CheckReport) async {
        let folder = self.objects.key("form")
        let policy = PostPolicy(
            bucket: self.objects.bucket,
            key: .startsWith(folder + "/"),
            contentType: .startsWith("image/"),
            contentLength: 1...Int64(Self.largest),
            expiration: Date(timeIntervalSinceNow: 600)
        )
        do {
            let (url, fields) = try await self.client.presignedPost(policy)
            var form = Form(fields: fields)
            form["key"] = folder + "/good.png"
            let answer = try await self.post(form, to: url, origin: origin)
            report.written += 1
            guard answer.status == 201 else {
                report.add(
                    .formRefused,
                    "A form that its policy allows was answered \(answer.status) \(answer.code) by \(url).",
                    remedy: answer.code == "AccessDenied"
                        ? "Give the credentials s3:PutObject in the bucket \(self.objects.bucket), or take away what denies it."
                        : "Use a store that takes POST policies, and check S3FILE_PUBLIC_ENDPOINT_URL."
                )
                return
            }
            if let origin, let allowed = answer.headers.first(name: "access-control-allow-origin"), allowed != origin,
                allowed != "*"
            {
                report.add(
                    .originRefused,
                    "The answer to a form of \(origin) is for \(allowed).",
                    remedy: "s3file bucket setup --yes    # with all origins in S3FILE_ORIGINS"
                )
            }
            for (what, bad) in Self.bad(form, outside: self.objects.key("elsewhere")) {
                let answer = try await self.post(bad, to: url, origin: nil)
                guard (200..<300).contains(answer.status) else { continue }
                report.written += 1
                report.add(
                    .formAccepted,
                    "A form with \(what) was taken (\(answer.status)).",
                    remedy: "Use a store that keeps to POST policies, or update it: nothing here can make up for that."
                )
            }
        } catch {
            report.add(
                .formRefused,
                "A form could not be posted: \(Failure(error).sentence)",
                remedy: "Check that S3FILE_PUBLIC_ENDPOINT_URL, or the endpoint, can be reached from here and from browsers."
            )
        }
    }

    private static func bad(_ good: Form, outside: String) -> [(what: String, form: Form)] {
        func changed(_ change: (inout Form) -> Void) -> Form {
            var form = good
            change(&form)
            return form
        }
        return [
            ("a file that is too large", changed { $0.file = String(repeating: "x", count: Self.largest + 1) }),
            ("a file that is too small", changed { $0.file = "" }),
            ("another type of file", changed { $0.type = "text/html" }),
            ("a key outside its folder", changed { $0["key"] = outside }),
            ("a signature of somebody else", changed { $0["x-amz-signature"] = String($0["x-amz-signature"].reversed()) }),
        ]
    }

    private func post(_ form: Form, to url: String, origin: String?) async throws -> Answer {
        let boundary = "----s3file\(UInt64.random(in: 0 ... .max))"
        var body = ""
        for field in form.fields + [("success_action_status", "201"), ("Content-Type", form.type)] {
            body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
        }
        body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"check.png\"\r\n"
        body += "Content-Type: \(form.type)\r\n\r\n\(form.file)\r\n--\(boundary)--\r\n"
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "multipart/form-data; boundary=\(boundary)")
        if let origin { request.headers.add(name: "origin", value: origin) }
        request.body = .bytes(ByteBuffer(string: body))
        let answer = try await self.httpClient.execute(request, timeout: .seconds(30))
        let text = try await answer.body.collect(upTo: 1 << 16)
        let document = try? XMLReader.read(text.readableBytesView)
        return Answer(status: Int(answer.status.code), code: document?["Code"]?.text ?? "", headers: answer.headers)
    }
}
