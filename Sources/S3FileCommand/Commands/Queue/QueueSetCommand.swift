import ArgumentParser
import S3File

/// `s3file queue set QUEUE …`.
struct QueueSetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Make a queue, or change one.",
        discussion: """
            A fair queue goes round its owners, and may limit what is in flight of all, of one owner, and to one bucket; 0 takes a limit away. \
            What is not named stays as it is.
            """
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Flag(inversion: .prefixedNo, help: "Go round the owners.")
    var fair: Bool?

    @Option(help: "Of a fair queue: how many may be moved at a time.")
    var maxInFlight: Int32?

    @Option(help: "Of a fair queue: how many of one owner.")
    var maxInFlightPerOwner: Int32?

    @Option(help: "Of a fair queue: how many to one bucket.")
    var maxInFlightPerBucket: Int32?

    @Argument(help: ArgumentHelp("The queue.", valueName: "queue"))
    var name: String

    func validate() throws {
        guard self.name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}/) != nil else {
            throw ValidationError("A queue's name has 1 to 64 of A-Z a-z 0-9 _ . -, and begins with a letter or digit")
        }
        let limits = [self.maxInFlight, self.maxInFlightPerOwner, self.maxInFlightPerBucket].compactMap { $0 }
        guard limits.allSatisfy({ $0 >= 0 }) else { throw ValidationError("A limit is 1 or more, or 0 for none") }
        guard self.fair != false || limits.isEmpty else { throw ValidationError("Only a fair queue has limits") }
    }

    func run() async throws {
        var change = QueueChange()
        change.fair = self.fair
        change.maxInFlight = self.maxInFlight
        change.maxInFlightPerOwner = self.maxInFlightPerOwner
        change.maxInFlightPerBucket = self.maxInFlightPerBucket
        try await self.settings.changeQueue(self.name, change, mustExist: false, self.output)
    }
}
