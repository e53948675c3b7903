import Foundation
import NIOCore
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct SweeperTests {
    private func put(_ here: Storeroom, _ key: String) async throws {
        _ = try await here.s3.putObject(
            bucket: here.bucket,
            key: key,
            body: ByteBuffer(string: "12345"),
            attributes: S3ObjectAttributes(contentType: "text/plain")
        )
    }

    @Test func `stale tmp objects go, page by page; live, young and other objects stay`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("live")
            for index in 0..<1_010 { try await self.put(here, "tmp/s3file/orphan/\(index)") }
            try await self.put(here, "elsewhere/x")
            let sweeper = Sweeper(connections: here.connections, logger: .quiet)

            let early = try await sweeper.sweep()
            #expect(early.listed == 1_011 && early.deleted == 0)

            let late = try await sweeper.sweep(now: Date().addingTimeInterval(25 * 3600))
            #expect(late == .init(listed: 1_011, deleted: 1_010, bytesFreed: 5_050, failed: 0))
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.count == 1)
            let others = try await here.keys(prefix: "elsewhere/")
            #expect(others == ["elsewhere/x"])
        }
    }

    @Test func `a hostile key is removed like any other`() async throws {
        try await Storeroom.with { here in
            let keys = ["tmp/s3file/f/../../../x", "tmp/s3file/f//y", "tmp/s3file/100%.txt", "tmp/s3file/a&b<c>"]
            for key in keys { try await self.put(here, key) }
            let summary = try await Sweeper(connections: here.connections, logger: .quiet).sweep(
                now: Date().addingTimeInterval(25 * 3600)
            )
            #expect(summary.deleted == keys.count && summary.failed == 0)
            let left = try await here.keys()
            #expect(left.isEmpty)
        }
    }

    @Test func `uploads in parts that nobody ended are given up, and others of the bucket are left alone`() async throws {
        try await Storeroom.with { here in
            for key in ["tmp/s3file/f/video", "elsewhere/video"] {
                let upload = try await here.s3.createMultipartUpload(bucket: here.bucket, key: key)
                let body = ByteBuffer(string: "12345")
                _ = try await here.s3.uploadPart(bucket: here.bucket, key: key, uploadID: upload, number: 1, body: body)
            }
            let sweeper = Sweeper(connections: here.connections, logger: .quiet)
            let early = try await sweeper.sweep()
            #expect(early.givenUp == 0)
            let late = try await sweeper.sweep(now: Date().addingTimeInterval(25 * 3600))
            #expect(late.givenUp == 1)
            let left = try await here.s3.listMultipartUploads(bucket: here.bucket).uploads
            #expect(left.map(\.key) == ["elsewhere/video"])
        }
    }
}
