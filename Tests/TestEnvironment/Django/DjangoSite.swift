import Foundation
package import S3

/// A Django site with an unmodified django-s3file, as another process: one form with one file field, which loads our script.
package struct DjangoSite: Sendable {
    /// Its `SECRET_KEY`.
    package static let secret = "SuperSecretKey"

    package static let isInstalled: Bool = {
        // Only at the start of the tests, and once: a short look.
        system("python3 -c 'import django, s3file, storages' >/dev/null 2>&1") == 0
    }()
    /// Whether an app can be run that has Django and psycopg alone.
    package static let hasPsycopg: Bool = {
        system("python3 -c 'import django, psycopg' >/dev/null 2>&1") == 0
    }()
    /// Says why tests with it are skipped.
    package static let missing = "Install Django and django-s3file from PyPI, as bin/test does, to run the tests beside them."

    package let address: String

    /// Starts one on a store; its tmp objects are where ours are.
    ///
    /// - Parameter scripts: where an app of ours serves the script, with a slash at the end.
    package static func with<R: Sendable>(
        endpoint: String,
        bucket: String,
        credentials: S3Credentials,
        scripts: String = "",
        _ body: @Sendable (DjangoSite) async throws -> R
    ) async throws -> R {
        let program = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("site.py").path
        let environment: [String: String?] = [
            "SECRET_KEY": Self.secret, "BUCKET": bucket, "ENDPOINT": endpoint, "ACCESS_KEY": credentials.accessKeyID,
            "SECRET_ACCESS_KEY": credentials.secretAccessKey, "SCRIPTS": scripts,
        ]
        return try await Program.with("python3", [program], environment: environment) { program in
            let ready = try await program.line(containing: "Django is ready: ")
            return try await body(DjangoSite(address: String(ready.drop { $0 != ":" }.dropFirst(2))))
        }.result
    }
}
