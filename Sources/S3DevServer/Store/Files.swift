#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A system call that failed.
struct FileError: Error, CustomStringConvertible {
    var call: String
    var errno: Int32

    var description: String { "\(self.call): \(String(cString: strerror(self.errno)))" }

    var isMissing: Bool { self.errno == ENOENT }
    var isOccupied: Bool { self.errno == EWOULDBLOCK }
}

/// The few blocking file calls the store needs. They run on the thread pool, never on the concurrency pool.
enum Files {
    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws(FileError) -> Int32 {
        while true {
            #if canImport(Darwin)
                let descriptor = Darwin.open(path, flags | O_CLOEXEC, mode)
            #elseif canImport(Musl)
                let descriptor = Musl.open(path, flags | O_CLOEXEC, mode)
            #else
                let descriptor = Glibc.open(path, flags | O_CLOEXEC, mode)
            #endif
            if descriptor >= 0 {
                return descriptor
            }
            guard errno == EINTR else {
                throw FileError(call: "open", errno: errno)
            }
        }
    }

    static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(FileError) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let written = write(descriptor, base, rest.count)
            if written < 0 {
                guard errno == EINTR else {
                    throw FileError(call: "write", errno: errno)
                }
                continue
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
        }
    }

    /// Reads up to the end of `buffer` or of the file, whichever comes first.
    static func read(_ descriptor: Int32, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        var total = 0
        while total < buffer.count, let base = buffer.baseAddress {
            let count = pread(descriptor, base + total, buffer.count - total, off_t(offset) + off_t(total))
            if count < 0 {
                guard errno == EINTR else {
                    throw FileError(call: "read", errno: errno)
                }
                continue
            }
            if count == 0 {
                break
            }
            total += count
        }
        return total
    }

    static func size(_ descriptor: Int32) throws(FileError) -> Int64 {
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0 else {
            throw FileError(call: "lseek", errno: errno)
        }
        return Int64(size)
    }

    static func synchronize(_ descriptor: Int32) throws(FileError) {
        #if canImport(Darwin)
            // There fsync leaves the bytes in the drive.
            let isSynchronized = fcntl(descriptor, F_FULLFSYNC) == 0 || fsync(descriptor) == 0
        #else
            let isSynchronized = fsync(descriptor) == 0
        #endif
        guard isSynchronized else {
            throw FileError(call: "fsync", errno: errno)
        }
    }

    /// Makes the names in a folder durable: a rename is safe only after this.
    static func synchronizeDirectory(_ path: String) throws(FileError) {
        let descriptor = try self.open(path, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        try self.synchronize(descriptor)
    }

    static func move(_ source: String, to destination: String) throws(FileError) {
        guard rename(source, destination) == 0 else {
            throw FileError(call: "rename", errno: errno)
        }
    }

    /// Moves a file into a folder that may have to be made first.
    static func moveCreatingFolder(_ source: String, to destination: String, synchronizes: Bool) throws(FileError) {
        if rename(source, destination) == 0 {
            return
        }
        guard errno == ENOENT, let slash = destination.lastIndex(of: "/") else {
            throw FileError(call: "rename", errno: errno)
        }
        try self.createDirectory(String(destination[..<slash]), synchronizes: synchronizes)
        try self.move(source, to: destination)
    }

    /// Removes a file; one that is not there is fine.
    static func remove(_ path: String) throws(FileError) {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw FileError(call: "unlink", errno: errno)
        }
    }

    /// Creates a folder and those above it; one that is there already is fine.
    ///
    /// - Parameter synchronizes: makes the name of each that was missing durable.
    static func createDirectory(_ path: String, synchronizes: Bool = false) throws(FileError) {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        var made = mkdir(path, 0o700)
        if made != 0, errno == ENOENT, !parent.isEmpty {
            try self.createDirectory(parent, synchronizes: synchronizes)
            made = mkdir(path, 0o700)
        }
        guard made == 0 || errno == EEXIST else {
            throw FileError(call: "mkdir", errno: errno)
        }
        if made == 0, synchronizes, !parent.isEmpty {
            try self.synchronizeDirectory(parent)
        }
    }

    /// The names in a folder; none when there is no such folder.
    static func names(in path: String) throws(FileError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT {
                return []
            }
            throw FileError(call: "opendir", errno: errno)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." {
                names.append(name)
            }
        }
        return names
    }

    /// Removes a file or a folder with all that is in it. Links are removed, not followed.
    static func removeTree(_ path: String) throws(FileError) {
        if unlink(path) == 0 || errno == ENOENT {
            return
        }
        for name in try self.names(in: path) {
            try self.removeTree("\(path)/\(name)")
        }
        guard rmdir(path) == 0 else {
            throw FileError(call: "rmdir", errno: errno)
        }
    }

    /// Takes a lock that ends with the process.
    static func lock(_ path: String) throws(FileError) -> Int32 {
        let descriptor = try self.open(path, O_RDWR | O_CREAT)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = FileError(call: "flock", errno: errno)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    static func shut(_ descriptor: Int32) {
        close(descriptor)
    }
}
