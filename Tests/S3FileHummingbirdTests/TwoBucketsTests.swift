import Foundation
import NIOCore
import S3
@testable import S3File
import TestEnvironment
import Testing

@Suite("Tmp objects in a bucket of their own")
struct TwoBucketsTests {
    @Test func `browsers post to the one, files are stored in the other`() async throws {
        try await withSite(tmpBucket: "incoming") { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            #expect(drawn.url.contains("incoming"))
            let key = drawn.folder + "/x"
            _ = try await site.connections.s3.putObject(bucket: "incoming", key: key, body: ByteBuffer(string: "hello"))
            // What lies at the wished key of the other bucket is not overwritten; what lies there in this one does not count.
            let other = ByteBuffer(string: "other")
            _ = try await site.connections.s3.putObject(bucket: "incoming", key: "documents/x.txt", body: other)
            let form = try FormBody.parse(
                ByteBuffer(string: encodeForm(drawn.post([(key, "x.txt")]))),
                contentType: "application/x-www-form-urlencoded"
            )
            let promises = try await site.uploads.verify(form, fields: [TestSite.documents], subject: "ada")["documents"] ?? []
            let promise = try #require(promises.first)
            #expect(promise.tmpBucket == "incoming" && promise.bucket == TestSite.bucket)
            #expect(promise.requestedKey == "documents/x.txt")
            let upload = try #require(try await site.uploads.enqueue(promises).first)
            #expect(upload.bucket == TestSite.bucket)
            // The same form again, when the tmp object has gone its way.
            try await site.connections.s3.deleteObject(bucket: "incoming", key: key)
            let again = try await site.uploads.verify(form, fields: [TestSite.documents], subject: "ada")["documents"] ?? []
            #expect(again.first?.bucket == TestSite.bucket)
            let same = try await site.uploads.enqueue(again)
            #expect(same.map(\.id) == [upload.id])
        }
    }

    @Test func `a page can name where it sends files to and where it reads stored ones from`() throws {
        let configuration = try S3FileConfiguration(
            databaseURL: "postgresql://127.0.0.1:9/none",
            bucket: "media",
            tmpBucket: "incoming",
            credentials: .keys(accessKeyID: "test", secretAccessKey: "test"),
            secrets: [TestSite.secret]
        )
        let uploads = try Uploads(configuration: configuration, logger: .quiet)
        let origin = try uploads.uploadOrigin()
        #expect(origin.hasPrefix("https://incoming."))
        #expect(try uploads.storedOrigin() == origin.replacing("incoming", with: "media"))
    }
}
