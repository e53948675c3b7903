/// What keeps `s3file dev` from starting or staying up, in one sentence that names the remedy.
struct DevelopmentError: Error, CustomStringConvertible {
    struct Code: Hashable, Sendable, CustomStringConvertible {
        let description: String

        static let folderNotWritable = Self(description: "folder_not_writable")
        static let folderInUse = Self(description: "folder_in_use")
        static let secretUnusable = Self(description: "secret_unusable")
        static let portInUse = Self(description: "port_in_use")
        static let postgresMissing = Self(description: "postgres_missing")
        static let postgresVersion = Self(description: "postgres_version")
        static let postgresAccount = Self(description: "postgres_account")
        static let postgresFailed = Self(description: "postgres_failed")
        static let commandFailed = Self(description: "command_failed")
    }

    var code: Code
    var message: String

    var description: String { self.message }
}
