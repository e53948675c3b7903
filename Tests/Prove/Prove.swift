import ArgumentParser
import Foundation
import Proof

/// Real processes, real faults, and a verdict from what is left: `bin/prove`.
@main
struct Prove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Puts uploads through faults, and judges by objects, rows and events alone.",
        subcommands: [RunCommand.self, SoakCommand.self, StoreCommand.self],
        defaultSubcommand: RunCommand.self
    )
}

/// One run, of one seed.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "One run, of one seed. Exits with 1 when it finds a violation, or could not try what it was to try."
    )

    @Option(help: "What the plan of the run is drawn from; drawn and printed unless it is said.")
    var seed: UInt64?

    @Option(help: "How many uploads are begun.")
    var uploads = 1_500

    @Option(help: "How many processes are killed, every fifth of them the web process.")
    var kills = 20

    @Option(help: "How long uploads are begun, in minutes.")
    var minutes = 3.0

    @Option(help: "Only these faults, by comma: \(Strike.Kind.allCases.map(\.rawValue).joined(separator: ", ")).")
    var faults: String?

    @Option(help: "Only these histories, by comma: \(History.Kind.allCases.map(\.rawValue).joined(separator: ", ")).")
    var histories: String?

    @Option(help: "Milliseconds between two faults that are no kills, on average.")
    var calm = 1_500

    @Flag(help: "The store is Ceph's gateway on bluestore, which commits no faults of its own, and has no old objects.")
    var ceph = false

    @Option(help: "Worker processes.")
    var workers = 4

    @Option(help: "Milliseconds that a copy takes, besides what it takes.")
    var copyTime = 120

    @Option(help: "Workers' clocks are wrong by so many seconds, every other one's the other way. Needs faketime.")
    var skew = 0

    @Option(help: "How many seconds everything has to end when the faults are over.")
    var patience = 240

    @Option(help: "The s3file to be tested; the one beside this program unless it is said.")
    var program: String?

    @Option(help: "Where the report goes as JSON.")
    var report: String?

    @Option(help: "A folder for the processes' output, the store's journal and Postgres's log.")
    var keep: String?

    func validate() throws {
        guard self.uploads > 0, self.kills >= 0, self.minutes > 0, self.workers > 0, self.calm > 0 else {
            throw ValidationError("uploads, minutes, workers and calm must be above 0, and kills not below")
        }
        _ = try self.order(seed: 0)
    }

    private func order(seed: UInt64) throws -> ProofPlan.Order {
        var order = ProofPlan.Order(seed: seed, uploads: self.uploads, kills: self.kills, minutes: self.minutes, calm: self.calm)
        if let faults { order.faults = try Self.set(faults) }
        // What a store does by itself when it is told to.
        if self.ceph { order.faults = order.faults.filter { $0.rule == nil } }
        if let histories { order.kinds = try Self.set(histories) }
        return order
    }

    private static func set<Kind: RawRepresentable<String> & Hashable>(_ names: String) throws -> Set<Kind> {
        try Set(
            names.split(separator: ",").map { name in
                guard let kind = Kind(rawValue: String(name)) else { throw ValidationError("there is no \(name)") }
                return kind
            }
        )
    }

    func run() async throws {
        let seed = self.seed ?? .random(in: 0..<1 << 53)
        say("seed        \(seed)")
        let plan = ProofPlan(try self.order(seed: seed))
        say("plan        \(plan.histories.count) uploads and \(plan.strikes.count) strikes in \(self.minutes) minutes")
        let settings = World.Settings(
            program: self.program,
            isCeph: self.ceph,
            workers: self.workers,
            copyTime: self.copyTime,
            skew: self.skew,
            keep: self.keep
        )
        let report = try await Interruption.cancelling {
            try await World.with(settings) { world in
                try await Run(world: world, plan: plan, patience: .seconds(self.patience)).run()
            }
        }
        say(report.text())
        if let path = self.report { try report.json().write(to: URL(fileURLWithPath: path)) }
        if !report.violations.isEmpty || !report.gaps.isEmpty { throw ExitCode(1) }
    }
}
