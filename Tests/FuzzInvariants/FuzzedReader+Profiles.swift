import S3

extension FuzzedReader {
    /// A refusal of the shared configuration files tells no more of them than a line's number.
    static func checkProfiles(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        for file in [SharedConfiguration.File.config, .credentials] {
            var configuration = SharedConfiguration()
            do {
                try configuration.read(text, file, path: "PATH")
            } catch {
                try require(error.kind == .failed && error.reason.hasPrefix("PATH, line "), "a file is refused with \(error)")
                try require(error.reason.utf8.count < 100, "a refusal tells too much: \(error)")
                continue
            }
            for (name, profile) in configuration.profiles {
                try require(!name.contains("\n") && !name.contains("]"), "a profile is called \(name.debugDescription)")
                for (key, value) in profile {
                    try require(!key.isEmpty && !key.contains("="), "a setting is called \(key.debugDescription)")
                    try require(!value.utf8.contains(0x0A), "a setting has two lines: \(value.debugDescription)")
                }
            }
        }
    }
}
