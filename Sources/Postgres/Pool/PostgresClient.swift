import CoreMetrics
package import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// A pool of connections, which ``PoolState`` governs and this class performs.
///
/// Queries wait for `run()` to be called, and for a connection to be free, for ``PostgresConfiguration/connectTimeout``.
package final class PostgresClient: Service, Sendable {
    typealias ConnectionID = PoolState.ConnectionID
    typealias WaiterID = PoolState.WaiterID

    private enum Work: Sendable {
        case open(ConnectionID)
        case retry(after: Duration)
    }

    private struct Shell {
        var machine: PoolState
        var connections: [ConnectionID: PostgresConnection] = [:]
        var waiters: [WaiterID: CheckedContinuation<Lease, any Error>] = [:]
        var lastWaiter = 0
        var lastFailure: PostgresError?
    }

    struct Lease: Sendable {
        var id: ConnectionID
        var connection: PostgresConnection
    }

    package let configuration: PostgresConfiguration
    package let metrics: PostgresMetrics
    private let logger: Logger
    private let shell: NIOLockedValueBox<Shell>
    private let work: AsyncStream<Work>
    private let workContinuation: AsyncStream<Work>.Continuation
    private let drained: AsyncStream<Never>
    private let drainedContinuation: AsyncStream<Never>.Continuation

    package init(configuration: PostgresConfiguration, metrics: PostgresMetrics = PostgresMetrics(), logger: Logger) {
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger
        self.shell = NIOLockedValueBox(
            Shell(machine: PoolState(maximum: configuration.maximumConnections, patience: configuration.connectTimeout))
        )
        (self.work, self.workContinuation) = AsyncStream.makeStream(of: Work.self)
        (self.drained, self.drainedContinuation) = AsyncStream.makeStream(of: Never.self)
    }

    // MARK: Running

    /// Opens connections as they are needed until graceful shutdown or cancellation, then closes them. May be called once.
    package func run() async throws {
        guard self.change({ $0.start() }) != nil else {
            throw PostgresError(.configuration, "run() of a Postgres client may be called once.")
        }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                if self.metrics.isUsed { group.addTask { await self.tellLoad() } }
                for await work in self.work {
                    group.addTask { await self.perform(work) }
                }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.beginShutdown()
        }
        self.beginShutdown()
        await self.waitForLeases()
        await self.closeLeased()
        self.logger.debug("Closed all connections to Postgres")
    }

    private func tellLoad() async {
        repeat {
            self.metrics.tell(self.shell.withLockedValue { $0.machine.load })
        } while (try? await Task.sleep(for: PostgresMetrics.interval)) != nil
    }

    private func beginShutdown() {
        self.change { $0.shutdown() }
        self.workContinuation.finish()
    }

    private func waitForLeases() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.drained {} }
            group.addTask { try? await Task.sleep(for: self.configuration.shutdownGrace) }
            await group.next()
            group.cancelAll()
        }
    }

    private func closeLeased() async {
        let leased = self.shell.withLockedValue { shell in
            defer { shell.connections = [:] }
            return Array(shell.connections.values)
        }
        for connection in leased { connection.control.abort() }
        for connection in leased { await connection.close() }
    }

    private func perform(_ work: Work) async {
        switch work {
        case .retry(let delay):
            try? await Task.sleep(for: delay)
            self.change { $0.retry() }
        case .open(let id):
            let connection = PostgresConnection(configuration: self.configuration)
            do {
                try await connection.connect()
                self.shell.withLockedValue { $0.connections[id] = connection }
                self.change { $0.opened(id) }
                self.metrics.connected.increment()
                self.logger.debug("Connected to Postgres", metadata: ["postgres.connection": "\(id.number)"])
            } catch {
                let failure = error as? PostgresError ?? PostgresError(.connection, "Cannot connect to Postgres: \(error)")
                if failure.code != .cancelled {
                    self.metrics.failed.increment()
                    self.logger.info("Cannot connect to Postgres", metadata: ["error": "\(failure)"])
                    self.shell.withLockedValue { $0.lastFailure = failure }
                }
                self.change {
                    $0.openFailed(id, permanent: failure.isPermanentRefusal, jitter: .random(in: 0...1))
                }
            }
        }
    }

    // MARK: Leases

    /// Lends a connection; whoever gets it must ``release(_:)`` it.
    func lease() async throws -> Lease {
        let idle = self.shell.withLockedValue { shell in
            shell.machine.leaseNow().flatMap { id in shell.connections[id].map { Lease(id: id, connection: $0) } }
        }
        if let idle { return idle }
        let start = ContinuousClock.now
        defer { self.metrics.wait.record(since: start) }
        let waiter = self.shell.withLockedValue { shell in
            shell.lastWaiter += 1
            return WaiterID(number: shell.lastWaiter)
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.change { shell in
                    shell.waiters[waiter] = continuation
                    // Read under the lock: a cancellation from here on finds the waiter in its place.
                    if Task.isCancelled { return [.fail(waiter, .cancelled)] }
                    return shell.machine.wait(waiter, now: .now)
                }
            }
        } onCancel: {
            self.change { $0.cancel(waiter) }
        }
    }

    /// A connection that the server had not closed a moment ago, for work that cannot simply start over.
    func leaseAlive() async throws -> Lease {
        for _ in 0..<self.configuration.maximumConnections {
            let lease = try await self.lease()
            if await lease.connection.isAlive() { return lease }
            self.release(lease)
        }
        return try await self.lease()
    }

    func release(_ lease: Lease) {
        let condition: PoolState.Condition =
            switch lease.connection.control.state {
            case .ready: .reusable
            case .suspect: .suspect
            default: .broken
            }
        if condition != .reusable { lease.connection.control.abort() }
        self.change { $0.release(lease.id, as: condition) }
    }

    // MARK: Deciding and doing

    @discardableResult
    private func change(_ event: (inout PoolState) -> [PoolState.Action]?) -> Bool? {
        self.change { shell in event(&shell.machine) }
    }

    @discardableResult
    private func change(_ event: (inout Shell) -> [PoolState.Action]?) -> Bool? {
        let effects: [@Sendable () -> Void]? = self.shell.withLockedValue { shell in
            guard let actions = event(&shell) else { return nil }
            return actions.compactMap { self.effect(of: $0, &shell) }
        }
        guard let effects else { return nil }
        for effect in effects { effect() }
        return true
    }

    /// What to do about an action once the lock is free.
    private func effect(of action: PoolState.Action, _ shell: inout Shell) -> (@Sendable () -> Void)? {
        switch action {
        case .lend(let id, let waiter):
            guard let continuation = shell.waiters.removeValue(forKey: waiter) else { return nil }
            guard let connection = shell.connections[id] else {
                return { continuation.resume(throwing: PostgresError.closed()) }
            }
            return { continuation.resume(returning: Lease(id: id, connection: connection)) }
        case .fail(let waiter, let failure):
            guard let continuation = shell.waiters.removeValue(forKey: waiter) else { return nil }
            let error = self.error(failure, last: shell.lastFailure)
            return { continuation.resume(throwing: error) }
        case .open(let id):
            return { self.workContinuation.yield(.open(id)) }
        case .retry(let delay):
            return { self.workContinuation.yield(.retry(after: delay)) }
        case .wake(let instant):
            return {
                Reactor.shared.schedule(at: instant) { [weak self] in _ = self?.change { $0.tick(now: .now) } }
            }
        case .close(let id):
            // Nobody uses it any more, so it ends here, with its last owner, outside the lock.
            let connection = shell.connections.removeValue(forKey: id)
            return { withExtendedLifetime(connection) {} }
        case .drained:
            return { self.drainedContinuation.finish() }
        }
    }

    private func error(_ failure: PoolState.Failure, last: PostgresError?) -> PostgresError {
        switch failure {
        case .cancelled: .cancelled()
        case .closed: .closed()
        case .notRunning:
            PostgresError(.connection, "The Postgres client does not run: add it to the ServiceGroup, or call run() in a task.")
        case .exhausted:
            PostgresError(
                .timeout,
                """
                No connection to Postgres became free within \(self.configuration.connectTimeout): \
                all \(self.configuration.maximumConnections) are in use; raise maximumConnections or shorten transactions.
                """
            )
        case .unreachable:
            last
                ?? PostgresError(
                    .connection,
                    "Postgres did not answer within \(self.configuration.connectTimeout): check that it runs and that DATABASE_URL names it."
                )
        }
    }
}
