import NIOConcurrencyHelpers
import TestEnvironment

/// Two Postgres: one is written to, and the other follows it. What has committed is on both, so that it outlives either.
final class Replicas: Sendable {
    private static let settings = [
        "max_connections = 300", "track_commit_timestamp = on", "wal_keep_size = 1GB", "wal_retrieve_retry_interval = 200ms",
    ]

    private let nodes: [TestCluster]
    /// Which of them is written to.
    private let leader = NIOLockedValueBox(0)

    private init(_ nodes: [TestCluster]) {
        self.nodes = nodes
    }

    static func with<R: Sendable>(in folder: String?, _ body: (Replicas) async throws -> R) async throws -> R {
        try await TestCluster.with(settings: Self.settings, in: folder) { first in
            try await first.withStandby(in: folder) { second in
                let replicas = Replicas([first, second])
                try await replicas.require(standby: true)
                try await replicas.inStep()
                return try await body(replicas)
            }
        }
    }

    var primary: TestCluster { self.nodes[self.leader.withLockedValue { $0 }] }
    private var standby: TestCluster { self.nodes[1 - self.leader.withLockedValue { $0 }] }

    /// Leads to the one that is written to, whichever it is at the moment.
    var url: String {
        let hosts = self.nodes.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return "postgresql://postgres@\(hosts)/postgres?target_session_attrs=read-write"
    }

    func log() throws -> String { try self.nodes.map { try $0.log() }.joined() }

    // MARK: Faults

    func crash(_ duration: Duration) async throws {
        try await self.primary.stop(.immediate)
        try await Task.sleep(for: duration)
        try await self.primary.start()
        try await self.inStep()
    }

    /// - Parameter moved: is told as soon as the other one may be written to.
    func failOver(_ duration: Duration, _ moved: (TestCluster) throws -> Void) async throws {
        // A standby that lacks something is not promoted.
        try await self.inStep()
        let old = self.primary
        try await old.stop(.immediate)
        try await Task.sleep(for: duration)
        try await self.standby.promote()
        self.leader.withLockedValue { $0 = 1 - $0 }
        try await self.require(standby: false)
        try moved(self.primary)
        try await self.rejoin()
    }

    /// Starts whichever has ended by itself, as on a full disk.
    ///
    /// - Parameter ended: is told of each.
    func revive(_ ended: () -> Void) async throws {
        for node in self.nodes where await !node.isRunning {
            ended()
            try await eventually("Postgres runs again", within: .seconds(60)) {
                if await node.isRunning { return true }
                try? await node.start()
                return false
            }
        }
        try await self.inStep()
    }

    // MARK: The standby

    /// Whether a commit waits for the standby.
    private func require(standby: Bool) async throws {
        _ = try await self.primary.psql("alter system set synchronous_standby_names = '\(standby ? "*" : "")'")
        _ = try await self.primary.psql("select pg_reload_conf()")
    }

    /// Makes the other one a standby, with nothing of its own.
    private func rejoin() async throws {
        if await self.standby.isRunning { try await self.standby.stop(.immediate) }
        try await self.require(standby: false)
        try await self.standby.follow(self.primary)
        try await self.standby.start()
        try await self.follows(within: .seconds(60))
        try await self.require(standby: true)
    }

    /// Returns when the standby has all that is on the primary now; one that cannot is made anew.
    private func inStep() async throws {
        do {
            try await self.follows(within: .seconds(20))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            try await self.rejoin()
        }
    }

    private func follows(within patience: Duration) async throws {
        let position = try await self.primary.psql("select pg_current_wal_flush_lsn()").joined()
        try await eventually("the standby follows", within: patience) {
            try await self.primary.psql(
                "select count(*) from pg_stat_replication where state = 'streaming' and flush_lsn >= '\(position)'"
            ) == ["1"]
        }
    }
}
