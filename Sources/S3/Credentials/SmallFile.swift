import NIOPosix

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Text files of settings and tokens, bounded.
enum SmallFile {
    static let limit = 1 << 20

    /// - Returns: nil when there is no such file and there need not be.
    static func read(_ path: String, for source: String, mustExist: Bool) throws(CredentialsError) -> String? {
        let bytes: [UInt8]
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.nonBlocking, .closeOnExec])
            bytes = try file.closeAfter { try self.bytes(of: file) }
        } catch Errno.noSuchFileOrDirectory where !mustExist {
            return nil
        } catch {
            throw CredentialsError(.failed, source, "\(path) cannot be read: \(error)")
        }
        guard bytes.count <= self.limit else {
            throw CredentialsError(.failed, source, "\(path) is larger than \(self.limit) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CredentialsError(.failed, source, "\(path) is not UTF-8")
        }
        return text
    }

    /// The one line of a token's file, which is replaced while this process runs.
    static func token(_ path: String, for source: String) async throws -> String {
        let text = try await NIOThreadPool.singleton.runIfActive { try self.read(path, for: source, mustExist: true) ?? "" }
        guard !text.isEmpty, text.utf8.count <= 64 * 1024, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CredentialsError(.failed, source, "\(path) does not hold a token: one line of visible ASCII without its end")
        }
        return text
    }

    /// One byte more than the limit at most, so that an endless file is told from one that is just right.
    private static func bytes(of file: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count <= self.limit {
            let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes
    }
}
