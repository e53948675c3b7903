/// How a process is: what its probes answer. <https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>
public struct HealthReport: Sendable, Equatable {
    /// One thing that was looked at.
    public struct Check: Sendable, Equatable {
        /// A short name, the same each time.
        public var name: String
        /// What is wrong, in a sentence that names no secret; nil when all is well.
        public var failure: String?

        /// Something that was looked at, and found well unless a failure is given.
        public init(_ name: String, failure: String? = nil) {
            self.name = name
            self.failure = failure
        }
    }

    /// Without these the process had better be ended and begun anew.
    public var liveness: [Check]
    /// Without these it cannot work now, and may again soon.
    public var readiness: [Check]

    /// A report; without checks all is well.
    public init(liveness: [Check] = [], readiness: [Check] = []) {
        self.liveness = liveness
        self.readiness = readiness
    }

    /// Whether nothing is wrong that only a new process would mend.
    public var isLive: Bool { self.liveness.allSatisfy { $0.failure == nil } }
    /// Whether it can do its work now.
    public var isReady: Bool { self.isLive && self.readiness.allSatisfy { $0.failure == nil } }

    /// Of a process that does several things.
    public static func + (left: HealthReport, right: HealthReport) -> HealthReport {
        HealthReport(liveness: left.liveness + right.liveness, readiness: left.readiness + right.readiness)
    }
}

/// What can tell how it is: ``Uploads``, and a worker pool.
public protocol HealthReporting: Sendable {
    /// At once, from what is known already: nothing is asked, and nothing waited for.
    var health: HealthReport { get }
}
