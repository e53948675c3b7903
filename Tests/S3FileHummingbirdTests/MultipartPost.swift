import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import S3
import S3File

/// A form as browsers post it where the script does not run.
struct MultipartPost: Sendable {
    static let boundary = "----WebKitFormBoundaryq3d9"
    static let contentType = "multipart/form-data; boundary=\(Self.boundary)"

    private var bytes = ByteBuffer()

    mutating func text(_ name: String, _ value: String) {
        self.bytes.writeString("--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n")
    }

    /// - Parameter filename: as it stands in the header.
    mutating func file(_ name: String, _ filename: String, _ content: ByteBuffer, type: String? = "text/plain") {
        self.bytes.writeString(
            "--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"\(filename)\"\r\n"
        )
        if let type { self.bytes.writeString("Content-Type: \(type)\r\n") }
        self.bytes.writeString("\r\n")
        self.bytes.writeImmutableBuffer(content)
        self.bytes.writeString("\r\n")
    }

    mutating func file(_ name: String, _ filename: String, _ content: String, type: String? = "text/plain") {
        self.file(name, filename, ByteBuffer(string: content), type: type)
    }

    /// What a browser posts of an input that nobody touched.
    mutating func untouched(_ name: String) {
        self.file(name, "", "", type: "application/octet-stream")
    }

    mutating func fields(_ fields: [(String, String)]) {
        for (name, value) in fields { self.text(name, value) }
    }

    var body: ByteBuffer {
        var body = self.bytes
        body.writeString("--\(Self.boundary)--\r\n")
        return body
    }

    /// Without the last boundary.
    var bodyWithoutEnd: ByteBuffer { self.bytes }
}

extension TestClientProtocol {
    func post(_ form: MultipartPost, method: HTTPRequest.Method = .post, headers: HTTPFields = [:]) async throws -> TestResponse {
        try await self.post(multipart: form.body, method: method, headers: headers)
    }

    func post(
        multipart body: ByteBuffer,
        method: HTTPRequest.Method = .post,
        headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var headers = headers
        headers[.contentType] = MultipartPost.contentType
        return try await self.execute(uri: "/", method: method, headers: headers, body: body)
    }
}

extension TestSite {
    /// What lies below the tmp prefix, parts of unfinished objects too.
    func tmpKeys() async throws -> [String] {
        let bucket = self.uploads.configuration.tmpBucket
        let objects = try await self.connections.s3.listObjects(bucket: bucket, prefix: "tmp/s3file/").objects.map(\.key)
        let unfinished = try await self.connections.s3.listMultipartUploads(bucket: bucket).uploads.map {
            "\($0.key) (unfinished)"
        }
        return objects + unfinished
    }

    func content(_ key: String) async throws -> ByteBuffer {
        try await self.connections.s3.getObject(bucket: self.uploads.configuration.tmpBucket, key: key).collect(upTo: 64 << 20)
    }
}
