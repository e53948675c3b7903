import ArgumentParser

/// `--json`, the same for every command that answers something.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON, each document on a line of its own.")
    var json = false

    /// Prints an answer: the document with --json, else the text.
    func print(_ document: @autoclosure () throws -> some Encodable, text: @autoclosure () throws -> String) throws {
        if self.json {
            try StandardOutput.json(try document())
        } else {
            try StandardOutput.line(try text())
        }
    }
}
