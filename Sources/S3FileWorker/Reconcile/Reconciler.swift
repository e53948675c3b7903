import Foundation
package import Logging
import Postgres
import S3
package import S3File

/// Proves that the record and the store agree, or says where they do not, one by one, in constant memory; and mends what can be mended.
///
/// Both are read in the order of their keys, side by side. What seems to differ is looked at again, the object by itself and then its row, before
/// it is told: workers go on meanwhile, and a listing is older than what they did since. What is told was so at one moment, when the object was
/// looked at between two looks at a row that did not change.
///
/// An object is called ours only for its stamp, and never when the record has the stamp's upload at another key: then it is somebody's copy.
package struct Reconciler: Sendable {
    /// What is looked at, and what is done about it.
    package struct Options: Sendable {
        /// Stored files below this; `nil` for all below ``S3FileConfiguration/location``.
        package var prefix: String?
        /// Asks for the stamp of every stored object, also of those that agree with the listing: a request each.
        package var checksStamps = false
        /// Asks for the stamp of every object that no upload has: a request each.
        package var looksForOrphans = true
        /// After how long without progress an upload is stuck.
        package var stuckAfter = Duration.seconds(3600)
        /// How long what workers do by themselves may take: nothing that is younger is told.
        package var grace = Duration.seconds(600)
        package var applies = false
        /// Also what may lose a file.
        package var forces = false
        /// The most repairs of a kind.
        package var limit = 100

        package init() {}
    }

    /// What was looked at, and what came of it.
    package struct Summary: Sendable, Equatable {
        package struct Count: Sendable, Equatable, Encodable {
            package var found = 0
            package var repaired = 0
            /// Found to be otherwise when it was to be repaired.
            package var changed = 0

            package var open: Int { self.found - self.repaired - self.changed }
        }

        package var objects = 0
        package var tmpObjects = 0
        package var uploads = 0
        /// Objects that the store does not let us look at.
        package var hidden = 0
        /// Whether the store let us look for uploads in parts.
        package var sawMultipart = true
        package var counts: [Disagreement.Kind: Count] = [:]
        /// Buckets that the record names besides the one that was looked at.
        package var otherBuckets: [String] = []

        package init() {}

        /// Disagreements that are still there.
        package var open: Int { self.counts.values.reduce(0) { $0 + $1.open } }
    }

    let s3: S3Client
    let queue: UploadQueue
    let configuration: S3FileConfiguration
    let options: Options
    let logger: Logger
    let looks: Looks
    let sweeper: Sweeper
    /// For tests, which cannot wait: how much later it is taken to be.
    var ahead: TimeInterval = 0

    package init(connections: Connections, options: Options = Options(), logger: Logger) {
        self.s3 = connections.s3
        self.queue = connections.queue
        self.configuration = connections.configuration
        self.options = options
        self.logger = logger
        self.looks = Looks(s3: connections.s3)
        self.sweeper = Sweeper(connections: connections, logger: logger)
    }

    /// How many of either side are compared before what seems to differ is looked at again.
    static let batch = 1_000

    /// One reconciliation. Safe beside workers, and beside another of its kind.
    ///
    /// - Parameters:
    ///   - progress: is told how far it is.
    ///   - report: is given each disagreement, with what was done about it, as it is found.
    package func run(
        progress: @escaping (Summary) -> Void = { _ in },
        report: @escaping (Disagreement) throws -> Void
    ) async throws -> Summary {
        var run = ReconcileRun(
            options: self.options,
            repairs: Repairs(reconciler: self, now: try await self.now()),
            progress: progress,
            report: report
        )
        run.summary.otherBuckets = try await self.queue.otherBuckets(than: self.configuration.bucket)
        try await DestinationPass(reconciler: self).run(&run)
        try await TmpPass(reconciler: self).run(&run)
        try await JobPass(reconciler: self).run(&run)
        try await MultipartPass(reconciler: self).run(&run)
        return run.summary
    }

    /// By the clock that is the farthest behind.
    func now() async throws -> Date {
        min(try await self.queue.now(), Date()).addingTimeInterval(self.ahead)
    }

    /// By the clock that is the farthest ahead, and a little later still.
    func latest() async throws -> Date {
        max(try await self.queue.now(), Date()).addingTimeInterval(self.ahead + self.options.grace / .seconds(1))
    }
}

/// What goes through all passes of one reconciliation.
struct ReconcileRun {
    let options: Reconciler.Options
    let repairs: Repairs
    let progress: (Reconciler.Summary) -> Void
    let report: (Disagreement) throws -> Void
    var summary = Reconciler.Summary()
    private var tried: [Disagreement.Kind: Int] = [:]

    init(
        options: Reconciler.Options,
        repairs: Repairs,
        progress: @escaping (Reconciler.Summary) -> Void,
        report: @escaping (Disagreement) throws -> Void
    ) {
        self.options = options
        self.repairs = repairs
        self.progress = progress
        self.report = report
    }

    /// Repairs what is to be repaired, and tells.
    mutating func tell(_ disagreement: Disagreement) async throws {
        var disagreement = disagreement
        disagreement.outcome = try await self.outcome(of: disagreement)
        var count = self.summary.counts[disagreement.kind] ?? .init()
        count.found += 1
        if disagreement.outcome == .repaired { count.repaired += 1 }
        if disagreement.outcome == .changed { count.changed += 1 }
        self.summary.counts[disagreement.kind] = count
        try self.report(disagreement)
        self.progress(self.summary)
    }

    private mutating func outcome(of disagreement: Disagreement) async throws -> Disagreement.Outcome {
        guard self.options.applies, let repair = disagreement.repair else { return .reported }
        guard !repair.mayLoseAFile || self.options.forces else { return .needsForce }
        guard self.tried[disagreement.kind, default: 0] < self.options.limit else { return .beyondLimit }
        self.tried[disagreement.kind, default: 0] += 1
        do {
            return try await self.repairs.apply(repair, disagreement)
        } catch let error as S3Error {
            try Task.checkCancellation()
            return .failed("\(error)")
        } catch let error as PostgresError where error.isOfThisStatement {
            return .failed("\(error)")
        }
    }
}

extension PostgresError {
    /// A value, a rule or a lock stood in the way of one statement, and not of the next.
    fileprivate var isOfThisStatement: Bool {
        guard let sqlState = self.sqlState else { return false }
        return ["22", "23", "40", "55"].contains { sqlState.hasPrefix($0) }
    }
}
