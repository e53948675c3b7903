public import Configuration
import Foundation
import S3

extension S3FileConfiguration {
    /// Reads the settings. With swift-configuration's environment provider the keys are the names in parentheses.
    ///
    /// - `database.url` (DATABASE_URL, secret, required)
    /// - `aws.region` (AWS_REGION, or `aws.defaultRegion`, AWS_DEFAULT_REGION; default that of the profile, or us-east-1)
    /// - `aws.accessKeyId` (AWS_ACCESS_KEY_ID), `aws.secretAccessKey` (AWS_SECRET_ACCESS_KEY, secret), `aws.sessionToken`
    ///   (AWS_SESSION_TOKEN, secret); without them the standard chain of AWS is asked: ``Credentials/standardChain``
    /// - `aws.endpointUrlS3` (AWS_ENDPOINT_URL_S3) or `aws.endpointUrl` (AWS_ENDPOINT_URL): S3 other than AWS
    /// - `s3file.bucket` (S3FILE_BUCKET, required), `s3file.tmpBucket` (S3FILE_TMP_BUCKET, default the same), `s3file.publicEndpointUrl` (S3FILE_PUBLIC_ENDPOINT_URL),
    ///   `s3file.addressing` (S3FILE_ADDRESSING: path or virtual-host)
    /// - `s3file.origins` (S3FILE_ORIGINS, by comma, default none)
    /// - `s3file.secret` (S3FILE_SECRET, secret): comma separated, the first signs and all verify; required in production
    /// - `s3file.djangoSecret` (S3FILE_DJANGO_SECRET, secret, default none): takes forms of a Django app with django-s3file
    /// - `s3file.environment` (S3FILE_ENVIRONMENT: development or production, default development)
    /// - `s3file.location` (S3FILE_LOCATION), `s3file.tmpPath` (S3FILE_TMP_PATH, default tmp/s3file)
    /// - `s3file.ticketHours` (S3FILE_TICKET_HOURS, default 12), `s3file.expiryHours` (S3FILE_EXPIRY_HOURS, default 24)
    /// - `s3file.policyMinutes` (S3FILE_POLICY_MINUTES, default 60)
    /// - `s3file.streamedForms` (S3FILE_STREAMED_FORMS, default 16), `s3file.webRequests` (S3FILE_WEB_REQUESTS, default 128)
    /// - `s3file.workerConcurrency` (S3FILE_WORKER_CONCURRENCY, default 16), `s3file.workerQueues` (S3FILE_WORKER_QUEUES, by comma, default all)
    /// - `s3file.listenUrl` (S3FILE_LISTEN_URL, secret, default that of the database)
    /// - `s3file.statusStreams` (S3FILE_STATUS_STREAMS, default 4000)
    /// - `s3file.retentionStoredDays` (S3FILE_RETENTION_STORED_DAYS, default for ever), `s3file.retentionUnstoredDays`
    ///   (S3FILE_RETENTION_UNSTORED_DAYS, default 30), `s3file.retentionEventDays` (S3FILE_RETENTION_EVENT_DAYS, default 3): 0 is for ever
    ///
    /// - Throws: ``ConfigurationError`` naming the setting and what to do.
    public init(reader: ConfigReader) throws {
        try self.init(reader: reader, environment: ProcessInfo.processInfo.environment)
    }

    /// - Parameter environment: leads to the shared files of the AWS CLI.
    package init(reader: ConfigReader, environment: [String: String]) throws {
        func required(_ key: ConfigKey, _ name: String, _ remedy: String, isSecret: Bool = false) throws -> String {
            guard let value = reader.text(forKey: key, isSecret: isSecret) else {
                throw ConfigurationError("\(name) is not set: \(remedy)")
            }
            return value
        }
        func optional(_ key: ConfigKey, isSecret: Bool = false) -> String? { reader.text(forKey: key, isSecret: isSecret) }
        func hours(_ key: ConfigKey, _ name: String, default fallback: Double) throws -> Duration {
            guard let text = optional(key) else {
                return .seconds(fallback * 3600)
            }
            guard let hours = Double(text), hours > 0, hours <= 24 * 365 else {
                throw ConfigurationError("\(name) must be a number of hours, such as \(fallback)")
            }
            return .seconds(hours * 3600)
        }

        func minutes(_ key: ConfigKey, _ name: String, default fallback: Double) throws -> Duration {
            guard let text = optional(key) else {
                return .seconds(fallback * 60)
            }
            guard let minutes = Double(text), minutes > 0, minutes <= 60 * 24 * 365 else {
                throw ConfigurationError("\(name) must be a number of minutes, such as \(fallback)")
            }
            return .seconds(minutes * 60)
        }

        func days(_ key: ConfigKey, _ name: String, default fallback: Duration?) throws -> Duration? {
            guard let text = optional(key) else { return fallback }
            guard let days = Double(text), days >= 0, days <= 36_500 else {
                throw ConfigurationError("\(name) must be a number of days, such as 30, or 0 for ever")
            }
            return days == 0 ? nil : .seconds(days * 86_400)
        }

        func region() throws -> String {
            if let region = optional("aws.region") ?? optional("aws.defaultRegion") { return region }
            do {
                return try SharedConfiguration.region(environment: environment) ?? "us-east-1"
            } catch {
                throw ConfigurationError("AWS_REGION is not set, and \(error)")
            }
        }
        func credentials() throws -> Credentials {
            let accessKeyID = optional("aws.accessKeyId")
            let secretAccessKey = optional("aws.secretAccessKey", isSecret: true)
            switch (accessKeyID, secretAccessKey) {
            case (nil, nil): return .standardChain
            case (let accessKeyID?, let secretAccessKey?):
                return .keys(
                    accessKeyID: accessKeyID,
                    secretAccessKey: secretAccessKey,
                    sessionToken: optional("aws.sessionToken", isSecret: true)
                )
            case (_?, nil): throw ConfigurationError("AWS_SECRET_ACCESS_KEY is not set: set it beside AWS_ACCESS_KEY_ID")
            case (nil, _?): throw ConfigurationError("AWS_ACCESS_KEY_ID is not set: set it beside AWS_SECRET_ACCESS_KEY")
            }
        }

        let environmentName = optional("s3file.environment") ?? "development"
        guard let environment = Environment(rawValue: environmentName) else {
            throw ConfigurationError("S3FILE_ENVIRONMENT is \"\(environmentName)\": set it to development or production")
        }
        let secretText = optional("s3file.secret", isSecret: true) ?? (environment == .development ? Self.developmentSecret : "")
        func count(_ key: ConfigKey, _ name: String, default fallback: Int) throws -> Int {
            guard let text = optional(key) else { return fallback }
            guard let count = Int(text) else { throw ConfigurationError("\(name) must be a whole number") }
            return count
        }
        let usual = Retention()
        try self.init(
            environment: environment,
            databaseURL: required(
                "database.url",
                "DATABASE_URL",
                "set it to your Postgres, such as postgresql://user@host/database",
                isSecret: true
            ),
            bucket: required("s3file.bucket", "S3FILE_BUCKET", "set it to the bucket that takes the uploads"),
            tmpBucket: optional("s3file.tmpBucket"),
            region: region(),
            endpointURL: optional("aws.endpointUrlS3") ?? optional("aws.endpointUrl"),
            publicEndpointURL: optional("s3file.publicEndpointUrl"),
            addressing: optional("s3file.addressing"),
            origins: optional("s3file.origins").map(Self.words) ?? [],
            credentials: credentials(),
            secrets: secretText.split(separator: ",").map { $0.trimmingPrefix { $0 == " " } }.map(String.init),
            djangoSecret: optional("s3file.djangoSecret", isSecret: true),
            location: optional("s3file.location") ?? "",
            tmpPath: optional("s3file.tmpPath") ?? "tmp/s3file",
            ticketLifetime: hours("s3file.ticketHours", "S3FILE_TICKET_HOURS", default: 12),
            policyLifetime: minutes("s3file.policyMinutes", "S3FILE_POLICY_MINUTES", default: 60),
            expiry: hours("s3file.expiryHours", "S3FILE_EXPIRY_HOURS", default: 24),
            streamedForms: count("s3file.streamedForms", "S3FILE_STREAMED_FORMS", default: 16),
            webRequests: count("s3file.webRequests", "S3FILE_WEB_REQUESTS", default: 128),
            workerConcurrency: count("s3file.workerConcurrency", "S3FILE_WORKER_CONCURRENCY", default: 16),
            workerQueues: optional("s3file.workerQueues").map(Self.words),
            listenURL: optional("s3file.listenUrl", isSecret: true),
            statusStreams: count("s3file.statusStreams", "S3FILE_STATUS_STREAMS", default: 4_000),
            retention: Retention(
                stored: days("s3file.retentionStoredDays", "S3FILE_RETENTION_STORED_DAYS", default: usual.stored),
                unstored: days("s3file.retentionUnstoredDays", "S3FILE_RETENTION_UNSTORED_DAYS", default: usual.unstored),
                events: days("s3file.retentionEventDays", "S3FILE_RETENTION_EVENT_DAYS", default: usual.events)
            )
        )
    }

    private static func words(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
