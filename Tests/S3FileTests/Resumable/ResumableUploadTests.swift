import Foundation
@testable import S3File
import Testing

@Suite struct ResumableUploadTests {
    private let keys = try! SigningKeys(secrets: ["a secret that is long enough for a test"])

    private func upload(_ size: Int64) -> ResumableUpload {
        ResumableUpload(
            key: "tmp/s3file/f/x",
            uploadID: "id",
            size: size,
            field: "video",
            expiresAt: Date(timeIntervalSince1970: 9)
        )
    }

    @Test(
        arguments: [
            (1, 1, 8 << 20), (8 << 20, 1, 8 << 20), (8 << 20 + 1, 2, 8 << 20), (10_000 << 23, 10_000, 8 << 20),
            (10_000 << 23 + 1, 8_889, 9 << 20), (5_000_000_000_000, 9_997, 477 << 20), (53_687_091_200_000, 10_000, 5 << 30),
        ] as [(Int64, Int, Int64)]
    )
    func `parts grow with the object, and are whole`(size: Int64, count: Int, partSize: Int64) {
        let upload = self.upload(size)
        #expect(upload.partCount == count && upload.partSize == partSize)
        #expect(upload.partSize <= 5 << 30 && upload.partCount <= 10_000)
        #expect((1...count).reduce(0) { $0 + (upload.size(ofPart: $1) ?? 0) } == size)
        #expect(upload.size(ofPart: 0) == nil && upload.size(ofPart: count + 1) == nil)
    }

    @Test func `a token reads as what was signed, and as nothing when it was changed or is for something else`() throws {
        let upload = self.upload(5)
        let token = try upload.signed(with: self.keys)
        #expect(ResumableUpload.read(token, keys: self.keys) == upload)
        for forged in [
            "", "v1", "v1..", token + "A", String(token.dropLast()), "v2" + token.dropFirst(2),
            try SignedToken.make(upload, purpose: .kept, keys: self.keys),
            try upload.signed(with: SigningKeys(secrets: ["another secret that is long enough for it"])),
        ] {
            #expect(ResumableUpload.read(forged, keys: self.keys) == nil, "\(forged)")
        }
    }
}
