/// Why the server does not start.
package struct S3DevServerError: Error, Sendable, CustomStringConvertible {
    package struct Code: Hashable, Sendable {
        private let name: String

        package static let production = Code(name: "production")
        package static let notLoopback = Code(name: "notLoopback")
        package static let configuration = Code(name: "configuration")
        package static let portInUse = Code(name: "portInUse")
        package static let folderUnusable = Code(name: "folderUnusable")
        package static let folderInUse = Code(name: "folderInUse")
    }

    package var code: Code
    /// One sentence that names the remedy.
    package var message: String

    package var description: String { self.message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
