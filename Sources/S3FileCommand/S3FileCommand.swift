import ArgumentParser

@main struct S3FileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "s3file", subcommands: [DevCommand.self])
}
