import Foundation
import S3File
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The file of a Unix socket.
///
/// It is bound in a folder beside its place that only this user can enter, is given its rights there, and is then moved to its place: nobody
/// connects who may not, not even for a moment, and whoever connects finds either the process before or this one.
final class SocketFile: Sendable {
    /// Read and write for its user and group: connecting is writing.
    private static let mode: mode_t = 0o660
    /// `sockaddr_un` has no room for more. <https://man7.org/linux/man-pages/man7/unix.7.html>
    static let longestPath = 103
    /// Of the folder and what is in it.
    static let longestName = "/.s3file-XXXXXX/s".utf8.count

    /// Which file it is, so that another's is not removed in its place.
    private struct Identity: Equatable {
        var device: Int
        var number: Int

        /// Of what is there, itself and not what it links to; `nil` when nothing is.
        init?(of path: String) {
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            guard let device = attributes?[.systemNumber] as? NSNumber, let number = attributes?[.systemFileNumber] as? NSNumber
            else { return nil }
            (self.device, self.number) = (device.intValue, number.intValue)
        }
    }

    let path: String
    /// Where it is bound.
    let hiddenPath: String
    private let hiddenFolder: String
    private let placed = Mutex<Identity?>(nil)

    /// Makes the folder that it is bound in.
    ///
    /// - Throws: ``ConfigurationError`` when something else is at its place, or somebody still listens there.
    init(path: String) throws(ConfigurationError) {
        self.path = path
        try Self.requireVacancy(at: path)
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var template = Array("\(folder)/.s3file-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Self.problem(path) }
        self.hiddenFolder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.hiddenPath = self.hiddenFolder + "/s"
    }

    deinit { self.removeHidden() }

    /// Moves it to its place, once it is bound.
    func place() throws(ConfigurationError) {
        let identity = Identity(of: self.hiddenPath)
        guard chmod(self.hiddenPath, Self.mode) == 0, rename(self.hiddenPath, self.path) == 0 else {
            throw Self.problem(self.path)
        }
        self.placed.withLock { $0 = identity }
        self.removeHidden()
    }

    /// Removes it from its place, unless another process has put its own there.
    func remove() {
        guard let identity = self.placed.withLock({ $0 }), Identity(of: self.path) == identity else { return }
        unlink(self.path)
    }

    private func removeHidden() {
        unlink(self.hiddenPath)
        rmdir(self.hiddenFolder)
    }

    private static func requireVacancy(at path: String) throws(ConfigurationError) {
        // What cannot be looked at cannot be replaced either, and that says why.
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return }
        guard attributes[.type] as? FileAttributeType == .typeSocket else {
            throw ConfigurationError("--socket \(path): a file that is no socket is there; remove it, or name another path")
        }
        guard !Self.answers(path) else {
            throw ConfigurationError("--socket \(path): another process listens there; stop it first, or name another path")
        }
    }

    private static func answers(_ path: String) -> Bool {
        #if canImport(Glibc) || canImport(Musl)
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            for (index, byte) in path.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // EAGAIN: somebody listens, with a full queue.
        return result == 0 || errno == EAGAIN
    }

    private static func problem(_ path: String) -> ConfigurationError {
        ConfigurationError(
            "--socket \(path): \(String(cString: strerror(errno))); check that its folder is there, and who may write to it"
        )
    }
}
