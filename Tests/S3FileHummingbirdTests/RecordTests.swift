import Foundation
import NIOCore
@testable import S3File
@testable import S3FileTesting
import TestEnvironment
import Testing

/// The record in memory, for tests of apps, must tell what Postgres would tell.
@Suite("The record, in Postgres and in memory")
struct RecordTests {
    enum Kind: CaseIterable, Sendable { case postgres, memory }

    private func withUploads(_ kind: Kind, _ body: @escaping @Sendable (Uploads) async throws -> Void) async throws {
        switch kind {
        case .postgres: try await withSite { try await body($0.uploads) }
        case .memory: try await body(try TestUploads().uploads)
        }
    }

    private func promise(
        tmpKey: String = "tmp/s3file/f/\(UUID().uuidString)",
        key: String = "docs/a.txt",
        etag: String = "\"1\"",
        owner: String? = "ada"
    ) -> UploadPromise {
        UploadPromise(
            id: .version7(),
            field: "docs",
            tmpBucket: "test",
            tmpKey: tmpKey,
            filename: "a.txt",
            size: 3,
            contentType: "text/plain",
            etag: etag,
            versionID: nil,
            owner: owner,
            requestedKey: key
        )
    }

    @Test(arguments: Kind.allCases)
    func `gives each upload a key of its own, and the same promise the same upload`(kind: Kind) async throws {
        try await self.withUploads(kind) { uploads async throws in
            let first = self.promise()
            let two = try await uploads.enqueue([first, self.promise()])
            #expect(two[0].key == "docs/a.txt" && two[0].id == first.id && two[0].status == .queued)
            #expect(two[1].key?.wholeMatch(of: /docs\/a_[A-Za-z0-9]{7}\.txt/) != nil)
            let again = try await uploads.enqueue([first])
            #expect(again.map(\.id) == [first.id] && again.map(\.key) == ["docs/a.txt"])
            let known = try await uploads.upload(first.id)
            #expect(known?.filename == "a.txt" && known?.size == 3 && known?.owner == "ada" && known?.progress.total == 3)
            #expect(try await uploads.upload(UUID()) == nil)
            #expect(try await Set(uploads.recent(owner: "ada").map(\.id)) == Set(two.map(\.id)))
            #expect(try await uploads.recent(owner: "eve").isEmpty)
        }
    }

    @Test(arguments: Kind.allCases)
    func `refuses a key of another owner, and other bytes, and takes none of the form then`(kind: Kind) async throws {
        try await self.withUploads(kind) { uploads async throws in
            let first = self.promise()
            _ = try await uploads.enqueue([first])
            let other = self.promise(key: "docs/other.txt")
            for (bad, code) in [
                (self.promise(tmpKey: first.tmpKey, owner: "eve"), UploadError.Code.claimedByAnother),
                (self.promise(tmpKey: first.tmpKey, owner: nil), .claimedByAnother),
                (self.promise(tmpKey: first.tmpKey, etag: "\"2\""), .replaced),
            ] {
                let error = await #expect(throws: UploadError.self) { try await uploads.enqueue([other, bad]) }
                #expect(error?.code == code && error?.field == "docs" && error?.filename == "a.txt")
                #expect(try await uploads.upload(other.id) == nil)
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `gives up what is held, not what was released, and takes it up again`(kind: Kind) async throws {
        try await self.withUploads(kind) { uploads async throws in
            let promise = self.promise()
            func status() async throws -> UploadStatus? { try await uploads.upload(promise.id)?.status }
            _ = try await uploads.enqueue([promise], hold: .seconds(60))
            try await uploads.cancelHeld([promise.id])
            #expect(try await status() == .cancelled)
            try await uploads.release([promise.id])
            #expect(try await status() == .queued, "what the end of a hold gave up comes back")
            try await uploads.cancelHeld([promise.id])
            #expect(try await status() == .queued, "what was released stays")
            try await uploads.cancel([promise.id])
            #expect(try await status() == .cancelled)
            try await uploads.release([promise.id])
            #expect(try await status() == .cancelled, "what was cancelled on purpose does not come back")
            _ = try await uploads.enqueue([promise])
            #expect(try await status() == .queued, "but by another post of the form")
        }
    }
}
