import NIOPosix

extension SharedConfiguration {
    /// The profile that the environment names, and whether it names one.
    package static func profileName(environment: [String: String]) -> (name: String, isExplicit: Bool) {
        for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            if let name = environment[variable], !name.isEmpty { return (name, true) }
        }
        return ("default", false)
    }

    /// Reads both files. A file that is not there holds nothing, also where a variable names it, as in every AWS SDK.
    ///
    /// Blocks for as long as a disk takes to read two small files: for a program's start. See ``load(environment:)``.
    package static func loadBlocking(environment: [String: String]) throws(CredentialsError) -> SharedConfiguration {
        var configuration = SharedConfiguration()
        for (file, variable, usual) in [
            (File.config, "AWS_CONFIG_FILE", "config"), (.credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ] {
            let named = environment[variable].flatMap { $0.isEmpty ? nil : $0 }
            guard let path = self.path(named ?? "~/.aws/\(usual)", environment) else { continue }
            guard let text = try SmallFile.read(path, for: self.source, mustExist: false) else { continue }
            try configuration.read(text, file, path: path)
        }
        return configuration
    }

    package static func load(environment: [String: String]) async throws -> SharedConfiguration {
        try await NIOThreadPool.singleton.runIfActive { try self.loadBlocking(environment: environment) }
    }

    /// The region of the profile that the environment names.
    package static func region(environment: [String: String]) throws(CredentialsError) -> String? {
        let region = try self.loadBlocking(environment: environment)
            .profiles[self.profileName(environment: environment).name]?["region"]
        return region.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Without a home there is no file in it.
    private static func path(_ path: String, _ environment: [String: String]) -> String? {
        guard path.hasPrefix("~/") else { return path }
        return environment["HOME"].flatMap { $0.isEmpty ? nil : $0 + path.dropFirst() }
    }
}
