import Foundation
import S3
import S3File

/// Uploads in parts that are neither ended nor given up: browsers', and copies.
struct MultipartPass {
    let reconciler: Reconciler

    func run(_ run: inout ReconcileRun) async throws {
        let configuration = self.reconciler.configuration
        let now = try await self.reconciler.now()
        // As for tmp objects: two passes of the sweep may go by before it is late.
        let expiry = configuration.expiry + WorkerPool.Options().sweepInterval * 2
        let limit = now.addingTimeInterval(-(expiry / .seconds(1)))
        let ofBrowsers = StaleUploads(s3: self.reconciler.s3, bucket: configuration.tmpBucket, logger: self.reconciler.logger)
        let sawTmp = try await ofBrowsers.eachPage(prefix: configuration.tmpPrefix + "/", begunBefore: limit) { uploads in
            for upload in uploads {
                try await run.tell(
                    self.disagreement(upload, ofBrowsers.bucket, "A browser began to upload in parts, and did not end.")
                )
            }
        }
        let ofMoves = StaleUploads(s3: self.reconciler.s3, bucket: configuration.bucket, logger: self.reconciler.logger)
        let sawMoves = try await ofMoves.eachPage(prefix: "", begunBefore: limit) { uploads in
            for upload in try await self.reconciler.queue.strays(of: uploads, bucket: ofMoves.bucket) {
                try await run.tell(
                    self.disagreement(upload, ofMoves.bucket, "A worker began a copy in parts, and no plan knows of it.")
                )
            }
        }
        run.summary.sawMultipart = sawTmp && sawMoves
        try await self.tellAbandoned(now, &run)
    }

    /// Copies whose upload ended a while ago. Workers give them up within a minute.
    private func tellAbandoned(_ now: Date, _ run: inout ReconcileRun) async throws {
        let limit = now.addingTimeInterval(-(self.reconciler.options.grace / .seconds(1)))
        var after: UUID?
        while true {
            let moves = try await self.reconciler.queue.abandonedMoves(limit: 100, after: after)
            let rows = try await self.reconciler.queue.comparedAgain(moves.map(\.uploadID))
            let ended = Dictionary(rows.map { ($0.id, $0) }) { first, _ in first }
            for move in moves {
                // Without a row it was forgotten, long after it ended.
                if let row = ended[move.uploadID] {
                    guard row.state != .waiting, let finished = row.finishedAt, finished < limit else { continue }
                }
                try await run.tell(
                    Disagreement(
                        kind: .staleMultipart,
                        upload: move.uploadID,
                        bucket: move.bucket,
                        key: move.key,
                        detail: "The upload ended, and what it began to copy in parts is still noted: does a worker run?",
                        repair: .giveUp,
                        multipartUploadID: move.multipartUploadID
                    )
                )
            }
            guard moves.count == 100 else { return }
            after = moves.last?.uploadID
        }
    }

    private func disagreement(_ upload: S3ListedUpload, _ bucket: String, _ detail: String) -> Disagreement {
        Disagreement(
            kind: .staleMultipart,
            bucket: bucket,
            key: upload.key,
            detail: "\(detail.dropLast()), since \(upload.initiated.formatted(.iso8601)).",
            repair: .giveUp,
            multipartUploadID: upload.uploadID
        )
    }
}
