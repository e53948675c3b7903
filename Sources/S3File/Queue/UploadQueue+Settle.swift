package import Foundation
import Postgres

/// How an attempt ended.
package enum Outcome: Sendable, Equatable {
    /// The object is at its key; S3 said so with an ETag.
    ///
    /// - Parameters:
    ///   - guarantee: what proved that the bytes are the verified ones.
    ///   - contentType: what the object got, when that is not what was declared.
    case stored(etag: String, versionID: String?, guarantee: Guarantee? = nil, contentType: String? = nil)
    /// Another attempt may help, after `delay` or the queue's own backoff.
    case retry(code: String, message: String, delay: Duration?)
    /// The store refuses this worker, whatever the file: credentials, rights, or the bucket itself. The file waits until somebody has mended
    /// it, and it costs no attempt.
    case parked(code: String, message: String)
    /// No attempt will help.
    case failed(code: String, message: String)
    /// Stopped before it was decided: the attempt is given back, as if it had not been claimed.
    case givenBack
}

/// What a settle came to.
package struct Settlement: Sendable, Equatable {
    /// Where the upload stands now. Still moving, when an open transaction holds the job, such as an app's that has cancelled it: then nothing was
    /// recorded, and it is to be settled later.
    package var status: UploadStatus
    /// The batch under which a stored upload's tmp object waits to be deleted.
    package var tmpDeletion: Int64?
}

extension UploadQueue {
    /// Settles many attempts in one statement, each fenced by its id, attempt and worker.
    ///
    /// - Returns: those for which it took effect, or will when it is sent again. The others were lost to another attempt: whoever holds them now
    ///   decides, and nothing may be done on their behalf.
    package func settle(_ outcomes: [(job: Job, outcome: Outcome)], worker: Int64) async throws -> [UUID: Settlement] {
        guard !outcomes.isEmpty else { return [:] }
        return try Self.settlements(
            try await self.client.query(Self.settleStatement(outcomes, worker: worker), timeout: .after(.seconds(5)))
        )
    }

    static func settleStatement(_ outcomes: [(job: Job, outcome: Outcome)], worker: Int64) -> SQL {
        let entries = outcomes.map { Entry($0.outcome) }
        return """
            select * from s3file.settle(
                worker => \(worker), upload_ids => \(outcomes.map(\.job.id)), attempts => \(outcomes.map(\.job.attempt)),
                outcomes => \(entries.map(\.outcome)), delays => \(entries.map(\.delay)), codes => \(entries.map(\.code)),
                messages => \(entries.map(\.message)), etags => \(entries.map(\.etag)), version_ids => \(entries.map(\.versionID)),
                guarantees => \(entries.map(\.guarantee)),
                content_types => \(entries.contains { $0.contentType != nil } ? entries.map(\.contentType) : nil))
            """
    }

    static func settlements(_ rows: PostgresRows) throws -> [UUID: Settlement] {
        var settled: [UUID: Settlement] = [:]
        settled.reserveCapacity(rows.count)
        for row in rows {
            settled[try row["id", UUID.self]] = Settlement(
                status: try UploadStatus(settledState: try row["state", Int16.self]),
                tmpDeletion: try row["tmp_deletion", Int64?.self]
            )
        }
        return settled
    }

    /// An outcome as the function `s3file.settle` takes it.
    private struct Entry {
        var outcome: String
        var delay: Double?
        var code: String?
        var message: String?
        var etag: String?
        var versionID: String?
        var guarantee: String?
        var contentType: String?

        init(_ outcome: Outcome) {
            switch outcome {
            case .stored(let etag, let versionID, let guarantee, let contentType):
                self.outcome = "stored"
                (self.etag, self.versionID) = (etag, versionID)
                (self.guarantee, self.contentType) = (guarantee?.rawValue, contentType)
            case .retry(let code, let message, let delay):
                self.outcome = "retry"
                (self.code, self.message, self.delay) = (code, message, delay.map(UploadQueue.seconds))
            case .parked(let code, let message):
                self.outcome = "parked"
                (self.code, self.message, self.delay) = (code, message, UploadQueue.seconds(UploadQueue.parkingTime))
            case .failed(let code, let message):
                self.outcome = "failed"
                (self.code, self.message) = (code, message)
            case .givenBack:
                self.outcome = "given_back"
            }
            // Both may hold what a store answered: bounded here, and without the one character that Postgres cannot keep.
            self.code = self.code.map { String($0.prefix(100)).replacing("\0", with: "\u{FFFD}") }
            self.message = self.message.map { String($0.prefix(1_000)).replacing("\0", with: "\u{FFFD}") }
        }
    }

    /// How long a parked upload waits for the store to be mended.
    static let parkingTime = Duration.seconds(60)
}

extension UploadStatus {
    fileprivate init(settledState state: Int16) throws {
        switch state {
        case 0: self = .queued
        case 1: self = .moving
        case 2: self = .stored
        case 3: self = .failed
        case 4: self = .cancelled
        case 5: self = .expired
        default:
            throw ConfigurationError(
                "The upload table has a state that this version does not know: \(state). Update this program."
            )
        }
    }
}
