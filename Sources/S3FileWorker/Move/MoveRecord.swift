import Foundation
import S3File

/// Where a move notes how far a copy in parts has come, for whoever goes on with it and for whoever waits.
protocol MoveRecord: Sendable {
    func movePlan(of id: UUID) async throws -> MovePlan?

    /// - Returns: false when the attempt is another worker's by now; then the plan must be given up.
    func note(_ plan: MovePlan, of job: Job, worker: Int64) async throws -> Bool

    func progress(of job: Job, worker: Int64, copied: Int64) async throws
}

extension UploadQueue: MoveRecord {}
