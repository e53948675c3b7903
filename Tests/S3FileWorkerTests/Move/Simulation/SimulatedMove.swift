import Foundation
import Logging
import Proof
import TestEnvironment

@testable import S3
@testable import S3File
@testable import S3FileWorker

/// One upload from its claim to its end: the real ``Mover`` in several workers, a store and a table, without processes, sockets or time. A seed
/// decides what the store honours, what is lost, late or refused, who is stopped or killed, and what people and strangers do meanwhile.
///
/// Unchecked: ``run()`` touches it on one thread, and so does whatever it resumes there, through ``SteppedExecutor``.
final class SimulatedMove: @unchecked Sendable {
    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    /// What must be found when it is done.
    enum Flaw: CaseIterable {
        /// A request goes out whatever has become of the lease.
        case ignoresLease
        /// How an attempt ended is recorded, also when it is another worker's by now.
        case settlesWithoutFence
        /// The store is taken to honour a condition on the source that it ignores.
        case trustsConditionsOnTheSource
        /// The same of the destination.
        case trustsConditionsOnTheDestination
    }

    /// What the table knows.
    struct Row {
        var status = UploadStatus.queued
        var attempt: Int16 = 0
        var holder: Int64?
        var runAt = Duration.zero
        var plan: MovePlan?
    }

    static let workers = 3
    /// Until then things go wrong; after it an upload has to end.
    private static let faultyTime = Duration.seconds(240)

    let flaw: Flaw?
    let shape: Shape
    let executor: SteppedExecutor
    var generator: SeededGenerator
    var timeline = Timeline<() -> Void>()
    var store: SimulatedStore
    let job: Job
    let content = 1
    var row = Row()
    var leases: [Int64: Duration] = [:]
    var workers: [SimulatedWorker] = []
    var lastWorker: Int64 = 0
    /// Tasks that have not ended, those of dead workers among them.
    var running = 0
    var isReposted = false
    var broken: Broken?
    /// What happened, for whoever wants to know of one run how it came about.
    var diary: [String]?

    private let beginning = ContinuousClock.now
    private(set) var events = 0
    var steps: Int { self.events + self.executor.steps }
    var attempts = 0
    var refusedSettles = 0
    var lateRequests = 0

    init(seed: UInt64, flaw: Flaw? = nil) {
        self.flaw = flaw
        self.executor = SteppedExecutor(seed: seed)
        var generator = SeededGenerator(seed: seed, purpose: 1)
        self.shape = Shape(flaw, using: &generator)
        self.store = SimulatedStore(traits: self.shape.traits)
        let tmp = self.store.post(content: self.content, size: self.shape.size, inParts: self.shape.isPostedInParts)
        if self.shape.strangerComes == .zero { self.store.putStrangers() }
        let id = UUID(uuid: withUnsafeBytes(of: (generator.next(), generator.next())) { $0.load(as: uuid_t.self) })
        self.job = Job(
            id: id,
            attempt: 0,
            maxAttempts: 1_000,
            filename: "x.txt",
            contentType: "text/plain",
            size: tmp.size,
            tmpBucket: "tmp",
            tmpKey: "x",
            etag: tmp.etag,
            versionID: self.shape.traits.honoured.sourceVersions ? tmp.version : nil,
            bucket: "media",
            key: "x",
            place: Lane(queue: "default", priority: 0, runAt: Date(timeIntervalSince1970: 0), uploadID: id)
        )
        self.generator = generator
    }

    /// Until the upload has ended and nothing is on its way any more; throws when something happened that never may.
    func run() throws {
        for slot in 0..<Self.workers { self.register(slot) }
        self.reap()
        self.foresee()
        while self.broken == nil, let event = self.timeline.next() {
            self.events += 1
            guard self.steps < 200_000 else { throw self.unfinished() }
            self.store.now = Date(timeIntervalSince1970: 1_700_000_000 + (self.timeline.now / .seconds(1)).rounded(.down))
            event()
            self.executor.runUntilIdle()
        }
        // Nobody is left waiting for an answer.
        for worker in self.workers { self.end(worker) }
        while self.running > 0, let event = self.timeline.next() {
            event()
            self.executor.runUntilIdle()
        }
        if let broken { throw broken }
        guard self.row.status == .stored || self.row.status == .failed, self.running == 0 else { throw self.unfinished() }
    }

    private func unfinished() -> Broken {
        Broken(description: "after \(self.steps) steps it is \(self.row.status), and \(self.running) attempts run")
    }

    /// Whether all has been said of the upload; what is on its way may still arrive.
    var isOver: Bool { self.row.status != .queued && self.row.status != .moving && self.running == 0 }
    var isFaulty: Bool { self.timeline.now < Self.faultyTime }

    /// What people and strangers will do.
    private func foresee() {
        for (delay, content, size) in self.shape.reposts {
            self.after(delay) {
                self.isReposted = true
                self.note("posted again: content \(content), \(size) bytes")
                self.store.post(content: content, size: size, inParts: self.shape.isPostedInParts)
            }
        }
        if let delay = self.shape.strangerComes, delay > .zero { self.after(delay) { self.store.putStrangers() } }
    }

    func note(_ line: @autoclosure () -> String) {
        self.diary?.append("\(self.timeline.now) \(line())")
    }

    // MARK: Chance and time

    func after(_ delay: Duration, _ event: @escaping () -> Void) { self.timeline.add(event, after: delay) }
    func milliseconds(_ range: Range<Int>) -> Duration { .milliseconds(Int.random(in: range, using: &self.generator)) }
    func happens(_ ofThousand: Int) -> Bool { Int.random(in: 0..<1_000, using: &self.generator) < ofThousand }
    /// Of the bad things, which end.
    func goesWrong(_ ofThousand: Int) -> Bool { self.isFaulty && self.happens(ofThousand) }

    /// Who is stopped sleeps longer.
    func clock(of worker: SimulatedWorker) -> MoveClock {
        MoveClock(
            now: { self.beginning + self.timeline.now },
            sleep: { delay in
                await withUnsafeContinuation { (waiter: UnsafeContinuation<Void, Never>) in
                    self.after(delay) { self.deliver(worker) { waiter.resume() } }
                }
            }
        )
    }

    // MARK: What may never happen

    func fail(_ description: String) {
        if self.broken == nil { self.broken = Broken(description: "\(description) at \(self.timeline.now)") }
    }

    /// After each request that may have changed the destination.
    func checkDestination(after before: SimulatedStore.Object?) {
        let after = self.store.destination
        if before?.author == .stranger, after?.author != .stranger { self.fail("a stranger's object is gone") }
        guard self.row.status == .stored else { return }
        guard let after else { return self.fail("a stored object is gone") }
        if after.content != self.content || after.size != self.job.size { self.fail("a stored object is another") }
    }

    /// The same bytes once more are a change where only the date tells.
    private var mayHaveChanged: Bool {
        self.isReposted
            && (self.shape.reposts.contains { $0.content != self.content } || !self.shape.isSourceFenced
                || !self.shape.traits.etagsAreDigests)
    }

    /// When the table takes an outcome for good.
    func checkEnd(_ outcome: Outcome) {
        switch outcome {
        case .stored(let etag, _, _, _):
            guard let object = self.store.destination else { return self.fail("nothing lies where it is stored") }
            if object.author != .worker { self.fail("what is stored is somebody else's") }
            if object.content != self.content || object.size != self.job.size { self.fail("other bytes are stored") }
            // An earlier copy of the same bytes may come after, unless the store prevents it; it has an ETag of its own, if that is no digest.
            if object.etag != etag,
                self.shape.isDestinationFenced
                    || self.shape.traits.etagsAreDigests && self.job.size <= self.shape.traits.copyLimit
            {
                self.fail("the object has not the ETag that was recorded")
            }
            if object.metadata[Stamp.uploadName] != self.job.id.uuidString.lowercased() { self.fail("the object is not stamped") }
        case .failed("source_changed", _):
            if !self.mayHaveChanged { self.fail("it is told as changed, and nobody changed it") }
        case .failed("destination_exists", _):
            if self.store.destination?.author != .stranger { self.fail("nobody else's object lies at the destination") }
        case .failed(let code, let message):
            self.fail("it ended as \(code): \(message)")
        case .retry, .parked, .givenBack:
            break
        }
    }
}
