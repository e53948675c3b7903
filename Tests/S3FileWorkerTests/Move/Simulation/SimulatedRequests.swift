import Foundation
import Proof

@testable import S3
@testable import S3File
@testable import S3FileWorker

/// The way from a worker to its store and its table: requests take time, are lost, late, refused and repeated, and so are answers.
struct SimulatedRequests {
    let world: SimulatedMove
    let worker: SimulatedWorker

    typealias Store = SimulatedStore

    private static let copies: Set<S3Operation> = [.copyObject, .uploadPartCopy, .completeMultipartUpload]

    /// - Parameters:
    ///   - repeats: whether it is sent again after an unclear answer, as ``S3Client`` does it.
    ///   - latest: how late a request may arrive that is no longer waited for.
    private func send<R: Sendable>(
        repeats: Bool = true,
        attempts: Int = 3,
        latest: Duration = .seconds(60),
        _ operation: S3Operation,
        _ serve: @escaping @Sendable (inout Store) throws(S3Error) -> R
    ) async throws -> R {
        var number = 1
        while true {
            try await self.world.checkLease(self.worker)
            do {
                return try await self.exchange(operation, latest: latest, serve)
            } catch let error as S3Error {
                let mayRepeat = repeats || error.code.isRefusal(status: error.status)
                guard mayRepeat, error.retryable, number < attempts else { throw repeats ? error : error.orOutcomeUnknown }
            }
            number += 1
            try await self.world.clock(of: self.worker).sleep(self.world.milliseconds(50..<2_000))
        }
    }

    private func exchange<R: Sendable>(
        _ operation: S3Operation,
        latest: Duration,
        _ serve: @escaping @Sendable (inout Store) throws(S3Error) -> R
    ) async throws -> R {
        let world = self.world
        return try await withUnsafeThrowingContinuation { (caller: UnsafeContinuation<R, any Error>) in
            @Sendable func answer(_ result: Result<R, any Error>, after delay: Duration) {
                world.after(delay) {
                    world.deliver(self.worker) {
                        caller.resume(with: self.worker.isDead ? .failure(CancellationError()) : result)
                    }
                }
            }
            @Sendable func take() -> Result<R, any Error> {
                let before = world.store.destination
                let result = Result<R, any Error> { try serve(&world.store) }
                world.note("\(operation) of worker \(self.worker.number) arrives: \(result)")
                world.checkDestination(after: before)
                return result
            }
            var outward = world.milliseconds(1..<30)
            // Stopped just when it has asked whether it may.
            let mayBeLate = world.shape.mayBeLate || !Self.copies.contains(operation)
            if mayBeLate, world.goesWrong(world.shape.stopRate) {
                let pause = world.milliseconds(1_000..<40_000)
                world.stop(self.worker, pause)
                world.lateRequests += 1
                outward += pause
            }
            guard world.goesWrong(world.shape.failureRate) else {
                return world.after(outward) { answer(take(), after: world.milliseconds(1..<30)) }
            }
            let lost = S3Error(.connectionLost, status: 0, message: "lost")
            switch Int.random(in: 0..<6, using: &world.generator) {
            case 0: answer(.failure(S3Error(.slowDown, status: 503, message: "")), after: outward)
            case 1: answer(.failure(lost), after: outward + world.milliseconds(0..<5_000))
            case 2:
                // Done, and nobody hears of it.
                world.after(outward) {
                    _ = take()
                    answer(.failure(lost), after: world.milliseconds(0..<5_000))
                }
            case 3:
                world.after(outward) {
                    if world.happens(500) { _ = take() }
                    answer(.failure(S3Error(.internalError, status: 500, message: "")), after: .zero)
                }
            case 4: answer(.failure(S3Error(.conditionalRequestConflict, status: 409, message: "")), after: outward)
            default:
                answer(.failure(S3Error(.timedOut, status: 0, message: "late")), after: outward)
                let lateness = mayBeLate ? latest : min(latest, .seconds(2))
                world.lateRequests += 1
                world.after(outward + lateness * Double.random(in: 0...1, using: &world.generator)) { _ = take() }
            }
        }
    }
}

extension SimulatedRequests: MoveStore {
    func headObject(bucket: String, key: String, versionID: String?, checksum: Bool) async throws -> S3ObjectHead {
        let isTmp = bucket == self.world.job.tmpBucket
        return try await self.send(.headObject) { store throws(S3Error) in
            try store.head(ofTmp: isTmp, versionID: versionID, checksum: checksum)
        }
    }

    func lists(bucket: String, key: String) async throws -> Bool {
        try await self.send(.listObjectsV2) { store throws(S3Error) in !store.tmp.isEmpty }
    }

    func firstBytes(
        _ most: Int,
        bucket: String,
        key: String,
        versionID: String?,
        ifMatch: String
    ) async throws -> (head: S3ObjectHead, bytes: [UInt8]) {
        throw SimulatedMove.Broken(description: "nobody said which types are accepted")
    }

    func copyObject(_ copy: S3CopyRequest) async throws -> S3CopyResult {
        try await self.send(repeats: false, .copyObject) { store throws(S3Error) in try store.copy(copy) }
    }

    func createMultipartUpload(bucket: String, key: String, attributes: S3ObjectAttributes) async throws -> String {
        try await self.send(.createMultipartUpload) { store throws(S3Error) in store.create(attributes) }
    }

    func uploadPartCopy(_ copy: S3CopyRequest, uploadID: String, number: Int, range: ClosedRange<Int64>?) async throws -> S3Part {
        let range = range ?? 0...(self.world.job.size - 1)
        return try await self.send(.uploadPartCopy) { store throws(S3Error) in
            try store.copyPart(copy, uploadID: uploadID, number: number, range: range)
        }
    }

    func listParts(bucket: String, key: String, uploadID: String) async throws -> [S3ListedPart] {
        try await self.send(.listParts) { store throws(S3Error) in try store.listParts(uploadID) }
    }

    func completeMultipartUpload(
        bucket: String,
        key: String,
        uploadID: String,
        parts: [S3Part],
        size: Int64?,
        ifNoneMatch: Bool,
        ifMatch: String?
    ) async throws -> S3CompletedUpload {
        try await self.send(repeats: false, .completeMultipartUpload) { store throws(S3Error) in
            try store.complete(uploadID, parts: parts, size: size, ifNoneMatch: ifNoneMatch, ifMatch: ifMatch)
        }
    }

    func abortMultipartUpload(bucket: String, key: String, uploadID: String) async throws {
        try await self.send(.abortMultipartUpload) { store throws(S3Error) in store.abort(uploadID) }
    }
}

/// The table's answers take their time, but it is there; what an absent one does to a worker the simulation of the pool shows.
extension SimulatedRequests: MoveRecord {
    private func ask<R: Sendable>(_ answer: @escaping @Sendable () -> R) async throws -> R {
        if self.worker.isDead { throw CancellationError() }
        let world = self.world
        return try await withUnsafeThrowingContinuation { (caller: UnsafeContinuation<R, any Error>) in
            world.after(world.milliseconds(1..<50)) {
                let result = answer()
                world.deliver(self.worker) { caller.resume(returning: result) }
            }
        }
    }

    func movePlan(of id: UUID) async throws -> MovePlan? {
        try await self.ask { self.world.row.plan }
    }

    func note(_ plan: MovePlan, of job: Job, worker: Int64) async throws -> Bool {
        try await self.ask {
            guard self.world.row.holder == worker, self.world.row.attempt == job.attempt else { return false }
            self.world.row.plan = plan
            return true
        }
    }

    func progress(of job: Job, worker: Int64, copied: Int64) async throws {
        try await self.ask {}
    }
}
