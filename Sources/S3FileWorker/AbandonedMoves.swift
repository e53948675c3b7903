import Foundation
import Logging
import S3
import S3File

/// Gives up what copies in parts left in the store: parts cost money until somebody does.
struct AbandonedMoves: Sendable {
    static let interval = Duration.seconds(20)
    private static let batch = 100

    let s3: S3Client
    let queue: UploadQueue
    let logger: Logger

    /// One pass over the copies whose upload ended, stored or not.
    func giveUp() async throws {
        var after: UUID?
        while true {
            let moves = try await self.queue.abandonedMoves(limit: Self.batch, after: after)
            var gone: [AbandonedMove] = []
            for move in moves where try await self.abort(move) { gone.append(move) }
            if !gone.isEmpty { try await self.queue.forget(gone) }
            guard moves.count == Self.batch else { return }
            // Behind those that the store would not give up: they keep no others from going.
            after = moves.last?.uploadID
        }
    }

    /// - Returns: whether nothing is left.
    func abort(_ move: AbandonedMove) async throws -> Bool {
        do {
            try await self.s3.abortMultipartUpload(bucket: move.bucket, key: move.key, uploadID: move.multipartUploadID)
            // A part that was on its way may have come after: then it is done again next time.
            // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
            return try await self.s3.listParts(bucket: move.bucket, key: move.key, uploadID: move.multipartUploadID).isEmpty
        } catch let error as S3Error where error.code == .noSuchUpload || error.code == .noSuchBucket || error.code == .noSuchKey
        {
            return true
        } catch let error as S3Error {
            self.logger.warning(
                "The parts of a copy could not be given up; trying again later",
                metadata: ["upload": "\(move.uploadID)", "bucket": "\(move.bucket)", "error": "\(error)"]
            )
            return false
        }
    }
}
