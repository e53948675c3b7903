import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Proof
import TestEnvironment

/// Does the strikes of a plan, and counts those that have really hit somebody.
final class Nemesis: Sendable {
    private struct State {
        /// The rules of the store that are in force; by a number, as two of one kind may overlap.
        var rules: [Int: String] = [:]
        var lastRule = 0
        var fired: [String: Int] = [:]
    }

    private let world: World
    private let state = NIOLockedValueBox(State())
    /// Restarts of Postgres, and changes of the store's rules, one after the other.
    private let postgresTurn = Turn()
    private let rulesTurn = Turn()

    init(_ world: World) {
        self.world = world
    }

    private func count(_ what: String, _ times: Int = 1) {
        guard times > 0 else { return }
        self.state.withLockedValue { $0.fired[what, default: 0] += times }
    }

    // MARK: Strikes

    func run(_ strikes: [Strike], since start: ContinuousClock.Instant) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for strike in strikes {
                group.addTask {
                    try await Task.sleep(until: start + .milliseconds(strike.start), clock: .continuous)
                    do {
                        try await self.strike(strike)
                    } catch let error where !(error is CancellationError) {
                        // The others come all the same, and the verdict.
                        say("could not \(strike.kind.rawValue): \(error)")
                        self.count("\(strike.kind.rawValue) that failed")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func strike(_ strike: Strike) async throws {
        let worker = self.world.workers[strike.target % self.world.workers.count]
        // The web process is one of those that the network and their clocks fail.
        let slots = self.world.workers + [self.world.web]
        let slot = slots[strike.target % slots.count]
        let duration = Duration.milliseconds(strike.duration)
        switch strike.kind {
        case .killWorker: worker.process.send(SIGKILL)
        case .killWeb: self.world.web.process.send(SIGKILL)
        case .pauseWorker:
            guard worker.process.send(SIGSTOP) else { return }
            self.count(strike.kind.rawValue)
            // Also when the run ends meanwhile.
            defer { worker.process.send(SIGCONT) }
            try await Task.sleep(for: duration)
        case .jumpClock:
            guard let clock = slot.clock else { return }
            try clock.jump(by: strike.jump)
            self.count(strike.kind.rawValue)
            defer { try? clock.jump(by: 0) }
            try await Task.sleep(for: duration)
        case .crashPostgres:
            try await self.toPostgres(strike.kind) { try await self.world.replicas.crash(duration) }
        case .failOverPostgres:
            try await self.toPostgres(strike.kind) {
                try await self.world.replicas.failOver(duration) { primary in
                    for slot in slots { try slot.postgres.lead(to: primary.url) }
                }
            }
        case .crashStore: try await self.crashStore(strike)
        case .cutPostgres: slot.postgres.cut()
        case .stallPostgres: slot.postgres.stall()
        case .losePostgresReplies:
            let texts = ["s3file.settle", "s3file.claim", "s3file.beat", "s3file.enqueue", "s3file.tmp_deleted"]
            slot.postgres.loseReplies(toRequestsContaining: texts[strike.target % texts.count], times: 2)
        case .blackHolePostgres: try await self.blackHole(slot.postgres, duration)
        case .loseStoreReplies:
            let texts = ["x-amz-copy-source: ", "DELETE /", "?delete", "HEAD /"]
            slot.store.loseReplies(toRequestsContaining: texts[strike.target % texts.count], times: 2)
        case .cutStore: slot.store.cut()
        case .stallStore: slot.store.stall()
        case .blackHoleStore: try await self.blackHole(slot.store, duration)
        case .sweep: await self.sweep()
        case .fillDisk: try await self.fillDisk(duration)
        default: try await self.misbehave(strike.kind.rule ?? "", duration)
        }
    }

    private func blackHole(_ proxy: FaultProxy, _ duration: Duration) async throws {
        proxy.fault = .blackHole
        defer { proxy.fault = .none }
        try await Task.sleep(for: duration)
    }

    private func toPostgres(_ kind: Strike.Kind, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await self.postgresTurn.take {
            // A task of its own, awaited: it must run again, whoever gives up meanwhile.
            try await Task { try await body() }.value
            self.count(kind.rawValue)
        }
    }

    private func fillDisk(_ duration: Duration) async throws {
        guard let disk = World.disk else { return }
        try await self.toPostgres(.fillDisk) {
            // The last of it by writing, for only that ends when nothing is left.
            let filling = """
                free=$(df --output=avail -B1 "$1" | tail -n 1)
                [ "$free" -lt 67108864 ] || fallocate -l $((free - 33554432)) "$1/ballast"
                cat /dev/zero >>"$1/ballast"
                """
            _ = try await Program.output("sh", ["-c", filling, "sh", disk])
            try await Task.sleep(for: duration)
            try FileManager.default.removeItem(atPath: disk + "/ballast")
            // Without room for its log Postgres ends, and somebody has to start it again.
            try await self.world.replicas.revive { self.count("postgres ended on a full disk") }
        }
    }

    /// Its rules end with it, so that they are set again.
    private func crashStore(_ strike: Strike) async throws {
        try await self.rulesTurn.take {
            try await Task {
                try await self.noteRules()
                try await self.world.store.crash(strike.target)
                self.count(strike.kind.rawValue)
                try await self.putRules()
            }.value
        }
    }

    /// By the program that operators run, beside the workers and their own sweeps.
    private func sweep() async {
        if (try? await self.world.sweep())?.exitCode == 0 { self.count(Strike.Kind.sweep.rawValue) }
    }

    // MARK: The store's own misbehaviour

    private var standing: String {
        self.world.settings.copyTime > 0 ? "latency=\(self.world.settings.copyTime)ms operation=CopyObject" : ""
    }

    private func misbehave(_ rule: String, _ duration: Duration) async throws {
        guard self.world.store.isDevelopment else { return }
        let number = self.state.withLockedValue { state in
            state.lastRule += 1
            state.rules[state.lastRule] = rule
            return state.lastRule
        }
        try await self.setRules()
        let result: Result<Void, any Error>
        do { result = .success(try await Task.sleep(for: duration)) } catch { result = .failure(error) }
        self.state.withLockedValue { $0.rules[number] = nil }
        try await Task { try await self.setRules() }.value
        try result.get()
    }

    /// Notes what the rules so far have done, and sets those that are in force by now.
    func setRules(none: Bool = false) async throws {
        try await self.rulesTurn.take {
            try await self.noteRules()
            try await self.putRules(none: none)
        }
    }

    private func noteRules() async throws {
        guard self.world.store.isDevelopment else { return }
        for line in try await self.faults(.GET, nil).split(separator: "\n") {
            let halves = line.split(separator: "#")
            guard halves.count == 2, let kind = halves[0].split(whereSeparator: { $0 == " " || $0 == "=" }).first,
                kind != "latency", let times = halves[1].split(separator: " ").first.flatMap({ Int($0) })
            else { continue }
            self.count("store \(kind)", times)
        }
    }

    private func putRules(none: Bool = false) async throws {
        guard self.world.store.isDevelopment else { return }
        let rules = self.state.withLockedValue { [self.standing] + $0.rules.sorted { $0.key < $1.key }.map(\.value) }
        _ = try await self.faults(.PUT, none ? "" : rules.joined(separator: ";"))
    }

    private enum Method: String { case GET, PUT }

    /// A store that has just ended by itself, as on a full disk, is back in a moment.
    private func faults(_ method: Method, _ rules: String?) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await self.askFaults(method, rules)
            } catch let error where !(error is ProgramError) && !Task.isCancelled && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func askFaults(_ method: Method, _ rules: String?) async throws -> String {
        var request = HTTPClientRequest(url: self.world.store.endpoint + "/_faults")
        request.method = .RAW(value: method.rawValue)
        if let rules { request.body = .bytes(ByteBuffer(string: rules)) }
        let response = try await self.world.http.execute(request, timeout: .seconds(10))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 16))
        guard response.status == .ok else { throw ProgramError(description: "the store's faults: \(text)") }
        return text
    }

    // MARK: The end

    /// Everything works again, whatever was under way.
    func end() async throws {
        self.state.withLockedValue { $0.rules = [:] }
        try await self.setRules(none: true)
        for slot in self.world.workers + [self.world.web] {
            slot.process.send(SIGCONT)
            for proxy in [slot.postgres, slot.store] { proxy.heal() }
        }
    }

    /// What really happened, by those to whom it did.
    var fired: [String: Int] {
        var fired = self.state.withLockedValue { $0.fired }
        for slot in self.world.workers + [self.world.web] {
            let full = slot.process.output.count { $0.contains("No space left on device") }
            if full > 0 { fired["full disk told by a process", default: 0] += full }
            for (name, proxy) in [("postgres", slot.postgres), ("s3", slot.store)] {
                let counts = proxy.counts
                for (what, times) in [
                    ("connections cut", counts.cut), ("connections stalled", counts.stalled),
                    ("replies lost", counts.lostReplies),
                    ("pieces held back", counts.held),
                ] where times > 0 {
                    fired["\(name) \(what)", default: 0] += times
                }
            }
        }
        return fired
    }
}
