package import Foundation

/// A folder of its own for one test, removed with all that is in it.
@discardableResult
package func withTemporaryFolder<R>(_ body: (URL) async throws -> R) async throws -> R {
    let folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
        .appendingPathComponent("s3file-test-\(UUID().uuidString.prefix(8))")
    // Closed to others, as `mktemp -d` and a checkout below /root are.
    try FileManager.default.createDirectory(
        at: folder,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
    )
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}
