package import Foundation

/// Settings of an ``S3DevServer``.
package struct S3DevServerConfiguration: Sendable {
    /// Where buckets are kept. One server at a time may use it.
    package var directory: String
    /// A loopback address; anything else is refused.
    package var host: String
    /// 0 takes any free port: see ``S3DevServer/boundPort()``.
    package var port: Int
    package var accessKeyID: String
    package var secretAccessKey: String
    package var region: String
    /// Buckets that exist once the server runs.
    package var buckets: [String]
    /// Origins that browsers may post from, `*` for all.
    package var allowedOrigins: [String]
    /// `production` is refused.
    package var environment: String
    /// AWS refuses parts below 5 MiB, except the last. Tests may want smaller ones.
    package var minimumPartSize: Int64
    /// Whether a write is on the disk before it is answered. Tests that write a lot may do without.
    package var synchronizesFiles: Bool
    /// Misbehaviour for tests.
    package var faults: Faults
    /// Misbehaviour to begin with that can be changed at `/_faults`, as ``FaultRule`` says it. nil, there is no such path.
    package var faultRules: [FaultRule]?
    /// The server's clock.
    package var now: @Sendable () -> Date
    /// How much older than it is an object of this key is said to be, in seconds: for tests of what becomes old.
    package var age: @Sendable (_ key: String) -> TimeInterval
    /// What CopyObject copies in one request: 5 GiB on AWS. Tests may want less; above it the answer is that of Ceph, EntityTooLarge.
    package var largestCopy: Int64?
    /// A file, not there yet, that every change of an object is noted in: see ``StoreJournal``.
    package var journal: String?

    package init(
        directory: String,
        host: String = "127.0.0.1",
        port: Int = 9000,
        accessKeyID: String = "s3file-dev",
        secretAccessKey: String = "s3file-dev-secret-key",
        region: String = "us-east-1",
        buckets: [String] = [],
        allowedOrigins: [String] = ["*"],
        environment: String = ProcessInfo.processInfo.environment["S3FILE_ENVIRONMENT"] ?? "development",
        minimumPartSize: Int64 = 5 * 1024 * 1024,
        synchronizesFiles: Bool = true,
        faults: Faults = Faults(),
        faultRules: [FaultRule]? = nil,
        now: @escaping @Sendable () -> Date = { Date() },
        age: @escaping @Sendable (_ key: String) -> TimeInterval = { _ in 0 },
        largestCopy: Int64? = nil,
        journal: String? = nil
    ) {
        self.directory = directory
        self.host = host
        self.port = port
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.region = region
        self.buckets = buckets
        self.allowedOrigins = allowedOrigins
        self.environment = environment
        self.minimumPartSize = minimumPartSize
        self.synchronizesFiles = synchronizesFiles
        self.faults = faults
        self.faultRules = faultRules
        self.now = now
        self.age = age
        self.largestCopy = largestCopy
        self.journal = journal
    }

    func validate() throws {
        guard self.environment.lowercased() != "production" else {
            throw S3DevServerError(
                .production,
                "S3DevServer is for development and tests and does not start in production; use a real S3 endpoint there."
            )
        }
        guard Self.isLoopback(self.host) else {
            throw S3DevServerError(
                .notLoopback,
                "S3DevServer listens on loopback only; set its host to 127.0.0.1, ::1 or localhost instead of '\(self.host)'."
            )
        }
        guard (0...65_535).contains(self.port) else {
            throw S3DevServerError(.configuration, "The port of S3DevServer must be between 0 and 65535.")
        }
        guard !self.accessKeyID.isEmpty, !self.secretAccessKey.isEmpty, !self.region.isEmpty else {
            throw S3DevServerError(.configuration, "S3DevServer needs an access key, a secret key and a region.")
        }
        for bucket in self.buckets where !BucketName.isValid(bucket) {
            throw S3DevServerError(.configuration, "'\(bucket)' is no valid bucket name: 3 to 63 of a-z, 0-9, '.' and '-'.")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" {
            return true
        }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
