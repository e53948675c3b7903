import Foundation
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Postgres's server programs on this machine.
struct PostgresInstallation: Sendable, Hashable {
    /// The folder that holds `initdb` and `postgres`.
    let programs: String
    /// "15", as a data folder's `PG_VERSION` has it.
    let version: String

    func program(_ name: String) -> String { "\(self.programs)/\(name)" }

    /// The installation that can serve `data`: of its version when it exists, else the first on the `PATH`, else the newest.
    static func find(for data: String, in folders: [String] = Self.folders()) async throws -> PostgresInstallation {
        var found: [PostgresInstallation] = []
        for folder in folders where ["initdb", "postgres"].allSatisfy({ access("\(folder)/\($0)", X_OK) == 0 }) {
            if let version = await Self.version(of: "\(folder)/postgres") {
                found.append(PostgresInstallation(programs: folder, version: version))
            }
        }
        guard let first = found.first else {
            throw DevelopmentError(
                code: .postgresMissing,
                message: """
                    No Postgres server is installed: `apt-get install postgresql` (Debian) or `brew install postgresql@17` \
                    (macOS), or set DATABASE_URL to a database of your own.
                    """
            )
        }
        guard let made = try? String(contentsOfFile: data + "/PG_VERSION", encoding: .utf8) else { return first }
        let needed = made.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let match = found.first(where: { $0.version == needed }) else {
            throw DevelopmentError(
                code: .postgresVersion,
                message: """
                    The database in \(data) was made by Postgres \(needed), and this machine has \
                    \(Set(found.map(\.version)).sorted().joined(separator: ", ")): install postgresql-\(needed), or delete that \
                    folder to begin anew.
                    """
            )
        }
        return match
    }

    /// Debian keeps the server programs of each version in a folder of its own, off the `PATH`.
    static func folders(path: String = ProcessInfo.processInfo.environment["PATH"] ?? "") -> [String] {
        let versioned = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"].flatMap { root in
            ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
                .filter { root == "/usr/lib/postgresql" || $0.hasPrefix("postgresql@") }
                .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
                .map { "\(root)/\($0)/bin" }
        }
        return path.split(separator: ":").map(String.init).filter { $0.hasPrefix("/") } + versioned
    }

    /// `postgres (PostgreSQL) 15.18 (Debian …)` → `15`.
    private static func version(of postgres: String) async -> String? {
        let result = try? await run(
            .path(FilePath(postgres)),
            arguments: ["--version"],
            output: .string(limit: 4096),
            error: .discarded
        )
        guard let result, result.terminationStatus.isSuccess,
            let number = result.standardOutput.split(separator: " ").dropFirst(2).first
        else { return nil }
        return String(number.prefix(while: \.isNumber))
    }
}
