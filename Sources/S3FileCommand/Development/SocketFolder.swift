import Foundation

/// The folder of a Unix socket, in which nobody else may write.
struct SocketFolder: Sendable {
    let path: String
    private let isTemporary: Bool

    /// A socket's whole name, `…/.s.PGSQL.65535` at its longest, must fit `sun_path`.
    private static var longestPath: Int {
        MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1 - "/.s.PGSQL.65535".utf8.count
    }

    init(preferring path: String) throws {
        guard path.utf8.count > Self.longestPath else {
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw DevelopmentError(
                    code: .folderNotWritable,
                    message: "Cannot make the folder \(path): give another one with --directory."
                )
            }
            self.path = path
            self.isTemporary = false
            return
        }
        var template = Array("/tmp/s3file-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DevelopmentError(
                code: .folderNotWritable,
                message: "\(path) is too long for a socket, and /tmp is not writable: give a shorter --directory."
            )
        }
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.isTemporary = true
    }

    /// Removes what a server that was killed has left.
    func empty() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: self.path) where name.hasPrefix(".s.PGSQL.") {
            unlink("\(self.path)/\(name)")
        }
    }

    func remove() {
        guard self.isTemporary else { return }
        try? FileManager.default.removeItem(atPath: self.path)
    }
}
