import Foundation

/// A line for whoever watches, at once, also where output goes to a pipe.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
