import Foundation
import S3

/// The fields of a POST form that came before its file. S3 compares their names without case.
struct PostForm: Sendable {
    private(set) var fields: [(name: String, value: String)] = []
    private var size = 0

    subscript(_ name: String) -> String? {
        self.fields.first { $0.name == name }?.value
    }

    mutating func append(_ name: String, _ value: String, maximum: Int) throws {
        let name = name.lowercased()
        self.size += name.utf8.count + value.utf8.count
        guard self.size <= maximum else {
            throw S3Error(
                S3Error.Code("MaxPostPreDataLengthExceeded"),
                status: 400,
                message: "Your POST request fields preceding the upload file were too large."
            )
        }
        guard self[name] == nil else {
            throw S3Error.invalidArgument("The form has the field '\(name)' more than once.")
        }
        self.fields.append((name, value))
    }

    /// Expands `${filename}` in the key. Of a path that a browser sent, S3 takes the last part.
    mutating func setFilename(_ filename: String) {
        guard let index = self.fields.firstIndex(where: { $0.name == "key" }) else {
            return
        }
        let bytes = Array(filename.utf8)
        let start = bytes.lastIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.map { $0 + 1 } ?? 0
        // By bytes: to a string, a brace and a combining accent behind it are one character that is no brace.
        let expanded = Array(self.fields[index].value.utf8).replacing(Array("${filename}".utf8), with: bytes[start...])
        self.fields[index].value = String(decoding: expanded, as: UTF8.self)
    }

    /// What the policy is held against. The bucket is the one that was posted to, whatever a field says.
    func fields(bucket: String) -> [(name: String, value: String)] {
        self.fields.filter { $0.name != "bucket" } + [("bucket", bucket)]
    }

    /// As a header of PutObject says it: forms may have the condition among their fields.
    func writeCondition() throws(S3Error) -> WriteCondition {
        var condition = WriteCondition(match: self["if-match"])
        if let value = self["if-none-match"] {
            guard value == "*" else {
                throw .notImplemented("If-None-Match with an ETag on a write; only * works")
            }
            condition.requiresNone = true
        }
        return condition
    }

    /// The checksum that the file must have.
    func checksum() throws(S3Error) -> (algorithm: Checksum.Algorithm, value: String)? {
        var found: (algorithm: Checksum.Algorithm, value: String)?
        for (name, value) in self.fields {
            guard let algorithm = Checksum.Algorithm(headerName: name) else {
                continue
            }
            guard found == nil else {
                throw .invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
            }
            guard algorithm.isWellFormed(value) else {
                throw .invalidRequest("Value for \(name) header is invalid.")
            }
            found = (algorithm, value)
        }
        if let md5 = self["content-md5"], Data(base64Encoded: md5)?.count != 16 {
            throw S3Error(S3Error.Code("InvalidDigest"), status: 400, message: "The Content-MD5 you specified was invalid.")
        }
        return found
    }
}
