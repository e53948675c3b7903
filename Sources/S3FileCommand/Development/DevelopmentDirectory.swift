import Foundation
import S3File

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The folder that holds everything a development server keeps: database, objects, secret and logs.
///
/// One process at a time uses it. The lock is the kernel's (`flock`), so it is gone with the process, however that ends.
final class DevelopmentDirectory: Sendable {
    /// Absolute, without symbolic links.
    let path: String
    private let lock: FileDescriptor

    init(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Self.notWritable(path)
        }
        guard let resolved = realpath(path, nil) else {
            throw Self.notWritable(path)
        }
        defer { free(resolved) }
        self.path = String(cString: resolved)
        do {
            self.lock = try FileDescriptor.open(
                FilePath(self.path + "/lock"),
                .readWrite,
                options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite]
            )
        } catch {
            throw Self.notWritable(path)
        }
        guard flock(self.lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            let owner = (try? Self.contents(of: self.path + "/lock")).flatMap { $0.isEmpty ? nil : " (process \($0))" } ?? ""
            try? self.lock.close()
            throw DevelopmentError(
                code: .folderInUse,
                message: "Another `s3file dev`\(owner) uses \(self.path): stop it, or give this one another --directory."
            )
        }
        do {
            try self.lock.resize(to: 0)
            try self.lock.writeAll("\(getpid())\n".utf8)
            // Whatever this folder lies in, its contents are nobody's source code.
            try self.writeOnce(".gitignore", "*\n")
        } catch {
            try? self.lock.close()
            throw Self.notWritable(path)
        }
    }

    deinit {
        try? self.lock.close()
    }

    /// The signing secret of this folder: made once, so that forms drawn before a restart are accepted after it.
    func secret() throws -> String {
        try self.kept("secret", prefix: S3FileConfiguration.developmentSecretPrefix)
    }

    /// What opens the database to whoever comes by TCP, where anybody on the machine may knock.
    func databasePassword() throws -> String {
        try self.kept("postgres-password", prefix: "")
    }

    /// Random text in a file of this folder, made when it is not there.
    private func kept(_ file: String, prefix: String) throws -> String {
        do {
            var generator = SystemRandomNumberGenerator()
            let random = Data((0..<48).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
            let base64url = random.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            try self.writeOnce(file, prefix + base64url + "\n")
        } catch {
            throw Self.notWritable(self.path)
        }
        guard let text = try? Self.contents(of: "\(self.path)/\(file)"), text.utf8.count >= 32 else {
            throw DevelopmentError(
                code: .secretUnusable,
                message: "\(self.path)/\(file) is unreadable or holds fewer than 32 characters: delete it to get a new one."
            )
        }
        return text
    }

    /// Writes a file that is not there yet; whole or not at all.
    private func writeOnce(_ name: String, _ contents: String) throws {
        let target = "\(self.path)/\(name)"
        guard access(target, F_OK) != 0 else { return }
        let unfinished = FilePath(target + ".new")
        let file = try FileDescriptor.open(
            unfinished,
            .writeOnly,
            options: [.create, .truncate, .closeOnExec],
            permissions: [.ownerReadWrite]
        )
        try file.closeAfter {
            _ = try file.writeAll(contents.utf8)
        }
        guard rename(unfinished.string, target) == 0 else { throw Errno(rawValue: errno) }
    }

    private static func contents(of path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func notWritable(_ path: String) -> DevelopmentError {
        DevelopmentError(
            code: .folderNotWritable,
            message: "Cannot write to the folder \(path): make it writable for you, or give another one with --directory."
        )
    }
}
