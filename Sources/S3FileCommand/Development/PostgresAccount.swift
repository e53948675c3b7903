import Foundation
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The system user that Postgres runs as: whoever calls, except that Postgres refuses root.
struct PostgresAccount: Sendable {
    struct User: Sendable {
        let name: String
        let id: uid_t
        let group: gid_t
    }

    /// `nil`: the caller.
    let user: User?
    /// The one right beyond its own that the user needs, when the data lies in a folder that only root may enter.
    private let capability: String?

    /// - Parameters:
    ///   - folder: What the server must reach. It is handed over to the server's user.
    ///   - isRoot: Whether a user must be found at all.
    init(owning folder: String, isRoot: Bool = geteuid() == 0) async throws {
        guard isRoot else {
            self.user = nil
            self.capability = nil
            return
        }
        guard let user = Self.user(named: "postgres") ?? Self.user(named: "nobody") else {
            throw DevelopmentError(
                code: .postgresAccount,
                message: "Postgres does not run as root, and there is no user `postgres` or `nobody`: run this as another user."
            )
        }
        self.user = user
        try Self.own(folder, as: user)
        // A checkout below /root is out of the user's reach. Reading and searching any folder is all that is lacking, and is given
        // to the server alone; containers often lack that capability but have the wider one.
        for capability in [nil, "dac_read_search", "dac_override"] as [String?] {
            // Not `test -x`: access(2) leaves ambient capabilities out of account.
            let probe = Self.configuration(["ls", "-d", folder + "/."], as: user, capability: capability)
            if try await run(probe, output: .discarded).terminationStatus.isSuccess {
                self.capability = capability
                return
            }
        }
        throw DevelopmentError(
            code: .postgresAccount,
            message:
                "The user `\(user.name)`, who runs Postgres for root, cannot reach \(folder): give another folder with --directory."
        )
    }

    /// A command that runs as this user, out of reach of the terminal's Ctrl-C.
    func configuration(_ command: [String]) -> Configuration {
        Self.configuration(command, as: self.user, capability: self.capability)
    }

    /// Makes `folder` the user's own and closes it for everybody else.
    func own(_ folder: String) throws {
        try Self.own(folder, as: self.user)
    }

    private static func own(_ folder: String, as user: User?) throws {
        guard user.map({ chown(folder, $0.id, $0.group) }) ?? 0 == 0, chmod(folder, 0o700) == 0 else {
            throw DevelopmentError(
                code: .postgresAccount,
                message: "Cannot hand \(folder) over to the user `\(user?.name ?? "")`: give another folder with --directory."
            )
        }
    }

    private static func configuration(_ command: [String], as user: User?, capability: String?) -> Configuration {
        var words = command
        if let user {
            words = ["setpriv", "--reuid=\(user.id)", "--regid=\(user.group)", "--clear-groups"]
            // Ambient, so that it outlives the change of user and the start of the program.
            words += capability.map { ["--inh-caps=-all,+\($0)", "--ambient-caps=-all,+\($0)"] } ?? []
            words += ["--"] + command
        }
        var options = PlatformOptions()
        options.createSession = true
        let arguments = Arguments(Array(words.dropFirst()))
        return Configuration(
            executable: words[0].contains("/") ? .path(FilePath(words[0])) : .name(words[0]),
            arguments: arguments,
            // Nothing of the caller's PG… or locale variables reaches the server.
            environment: .custom(["PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"]),
            workingDirectory: "/",
            platformOptions: options
        )
    }

    private static func user(named name: String) -> User? {
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16384)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &result) == 0, result != nil else { return nil }
        return User(name: name, id: entry.pw_uid, group: entry.pw_gid)
    }
}
