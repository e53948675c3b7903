import ArgumentParser

/// `s3file bucket`: what the buckets have to have.
struct BucketCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bucket",
        abstract: "Set the buckets up.",
        subcommands: [BucketSetupCommand.self]
    )
}
