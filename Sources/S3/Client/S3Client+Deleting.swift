import Crypto
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

package struct S3ObjectIdentifier: Sendable, Hashable {
    package var key: String
    package var versionID: String?
    /// Delete it only while it has this ETag, where the store honours it: older ones ignore it and delete anyway.
    package var ifMatch: String?

    package init(key: String, versionID: String? = nil, ifMatch: String? = nil) {
        self.key = key
        self.versionID = versionID
        self.ifMatch = ifMatch
    }
}

/// What became of each object that was to be deleted.
package struct S3DeleteResult: Sendable {
    /// Gone, or never there.
    package var deleted: [S3ObjectIdentifier]
    package var errors: [Failure]

    package struct Failure: Sendable {
        package var object: S3ObjectIdentifier
        package var error: S3Error
    }
}

extension S3Client {
    static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    /// S3's own limit for one request.
    private static let deletionLimit = 1000

    /// Deletes any number of objects, a thousand by a request. An object that S3 refuses to delete is among the result's errors;
    /// a request that fails as a whole is thrown.
    package func deleteObjects(bucket: String, _ objects: [S3ObjectIdentifier]) async throws -> S3DeleteResult {
        var result = S3DeleteResult(deleted: [], errors: [])
        // A key that XML cannot hold would have the whole request refused, and whoever chose it would keep the others alive.
        let listed = objects.filter { Self.isWritable($0.key) }
        for start in stride(from: 0, to: listed.count, by: Self.deletionLimit) {
            try await self.deleteBatch(bucket, listed[start..<min(start + Self.deletionLimit, listed.count)], &result)
        }
        for object in objects where !Self.isWritable(object.key) {
            do {
                try await self.deleteObject(
                    bucket: bucket,
                    key: object.key,
                    versionID: object.versionID,
                    ifMatch: object.ifMatch
                )
                result.deleted.append(object)
            } catch let error as S3Error where error.code != .noSuchBucket {
                result.errors.append(S3DeleteResult.Failure(object: object, error: error))
            }
        }
        return result
    }

    private func deleteBatch(
        _ bucket: String,
        _ objects: ArraySlice<S3ObjectIdentifier>,
        _ result: inout S3DeleteResult
    ) async throws {
        var writer = XMLWriter()
        writer.element("Delete", attributes: [("xmlns", Self.namespace)]) { writer in
            // Quiet: only what failed is answered.
            writer.element("Quiet", text: "true")
            for object in objects {
                writer.element("Object") { writer in
                    writer.element("Key", text: object.key)
                    if let versionID = object.versionID { writer.element("VersionId", text: versionID) }
                    if let etag = object.ifMatch { writer.element("ETag", text: etag) }
                }
            }
        }
        var request = S3Request(
            operation: .deleteObjects,
            method: .POST,
            bucket: bucket,
            query: [("delete", "")],
            timeout: self.timeouts.request + self.timeouts.request,
            // A failure repeats the key, escaped, and has a sentence.
            responseLimit: 8 << 20
        )
        request.setXML(writer.text)
        let sent = request
        let failures = try await self.send(sent) { response throws(S3Error) in
            try Self.document(response, "DeleteResult", sent).all("Error")
        }
        var failed: [S3ObjectIdentifier: S3Error] = [:]
        for failure in failures {
            let object = S3ObjectIdentifier(key: failure["Key"]?.text ?? "", versionID: failure["VersionId"]?.text)
            let error = S3Error(
                status: 200,
                headers: [:],
                document: XMLElement(name: "Error", children: failure.children),
                subject: sent.subject
            )
            guard error.code != .noSuchKey, error.code != .noSuchVersion else { continue }
            failed[object] = error
            // Some stores name a version that was not asked for.
            failed[S3ObjectIdentifier(key: object.key)] = error
        }
        for object in objects {
            let named = S3ObjectIdentifier(key: object.key, versionID: object.versionID)
            if let error = failed[named] ?? failed[S3ObjectIdentifier(key: object.key)] {
                result.errors.append(S3DeleteResult.Failure(object: object, error: error))
            } else {
                result.deleted.append(object)
            }
        }
    }

    private static func isWritable(_ key: String) -> Bool {
        key.unicodeScalars.allSatisfy { $0 >= " " && $0 != "\u{FFFE}" && $0 != "\u{FFFF}" }
    }
}

extension S3Request {
    /// A body of XML with its MD5, which S3 demands here and old stores take in no other form.
    mutating func setXML(_ text: String) {
        self.body = ByteBuffer(string: text)
        self.add("content-type", "application/xml")
        self.add("content-md5", Data(Insecure.MD5.hash(data: Array(text.utf8))).base64EncodedString())
    }
}
