import ArgumentParser
import Foundation
import Proof

/// Full load, no fault, and nothing that may grow: `bin/prove soak`.
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract:
            "Full load for as long as you say, without a fault; exits with 1 unless memory, descriptors and connections stay flat."
    )

    @Option(help: "How long uploads are begun, in minutes.")
    var minutes = 60.0

    @Option(help: "Worker processes.")
    var workers = 2

    @Option(help: "Clients, each of which begins its next upload when the one before is enqueued.")
    var clients = 16

    @Option(help: "Clients wait while more jobs than so many wait.")
    var backlog = 2_000

    @Option(help: "Seconds between two samples.")
    var every = 15.0

    @Option(help: "Milliseconds that a copy takes, besides what it takes: workers are the slowest then, and jobs wait.")
    var copyTime = 0

    @Flag(
        help:
            "Once in the warm-up, and in the middle third a minute every five, \(SoakPlan.floodFactor) times as many clients ask for inputs and post forms without a pause."
    )
    var flood = false

    @Option(help: "How many seconds everything has to end when the load is over.")
    var patience = 240

    @Option(help: "The s3file to be tested; the one beside this program unless it is said.")
    var program: String?

    @Option(help: "Where the report goes as JSON, with every sample.")
    var report: String?

    @Option(help: "A folder for the processes' output, the store's journal and Postgres's log.")
    var keep: String?

    func validate() throws {
        guard self.minutes > 0, self.workers > 0, self.clients > 0, self.backlog > 0, self.every > 0, self.patience > 0,
            self.copyTime >= 0
        else {
            throw ValidationError(
                "minutes, workers, clients, backlog, every and patience must be above 0, and copy-time not below"
            )
        }
        guard self.minutes * 60 * (1 - Flatness.warmUp) / self.every > Double(Flatness.fewest) else {
            throw ValidationError("in \(self.minutes) minutes there are too few samples: say more minutes, or a smaller --every")
        }
        guard FileManager.default.fileExists(atPath: "/proc/self/status") else {
            throw ValidationError("this machine has no /proc, where memory and descriptors are read: run it on Linux")
        }
    }

    func run() async throws {
        let plan = SoakPlan(seconds: self.minutes * 60, workers: self.workers, clients: self.clients, hasFlood: self.flood)
        let settings = World.Settings(
            program: self.program,
            isCeph: false,
            workers: self.workers,
            copyTime: self.copyTime,
            skew: 0,
            keep: self.keep,
            hasFaults: false
        )
        say("soak        \(self.minutes) minutes, \(self.workers) workers, \(self.clients) clients, \(plan.floods.count) floods")
        let report = try await Interruption.cancelling {
            try await World.with(settings) { world in
                try await Soak(
                    world: world,
                    plan: plan,
                    backlog: self.backlog,
                    interval: .seconds(self.every),
                    patience: .seconds(self.patience)
                ).run()
            }
        }
        say(report.text())
        if let path = self.report { try report.json().write(to: URL(fileURLWithPath: path)) }
        if !report.isClean { throw ExitCode(1) }
    }
}
