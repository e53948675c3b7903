import Foundation

/// A file to upload, with bytes that tell it from others.
struct SampleFile: Sendable {
    let url: URL
    let bytes: Data

    var name: String { self.url.lastPathComponent }

    init(_ name: String, in folder: URL, bytes: Data) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.url = folder.appendingPathComponent(name, isDirectory: false)
        self.bytes = bytes
        try bytes.write(to: self.url)
    }

    init(_ name: String, in folder: URL, text: String) throws {
        try self.init(name, in: folder, bytes: Data(text.utf8))
    }

    /// A picture that browsers show.
    static func picture(_ name: String, in folder: URL) throws -> SampleFile {
        // 1 × 1, transparent.
        let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
        return try SampleFile(name, in: folder, bytes: Data(base64Encoded: pixel) ?? Data())
    }

    /// `size` zero bytes that take no room on the disk.
    static func sparse(_ name: String, in folder: URL, size: UInt64) throws -> URL {
        let file = try SampleFile(name, in: folder, bytes: Data())
        let handle = try FileHandle(forWritingTo: file.url)
        try handle.truncate(atOffset: size)
        try handle.close()
        return file.url
    }
}
