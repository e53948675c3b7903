import Configuration
import S3File

/// A setting, as the README's table has it.
struct KnownSetting: Sendable {
    /// In the environment.
    var name: String
    /// In the settings' file.
    var key: String
    /// What holds without it, in words where it is no value.
    var fallback: String
    var isSecret = false

    init(_ name: String, _ key: String, _ fallback: String = "", isSecret: Bool = false) {
        self.name = name
        self.key = key
        self.fallback = fallback
        self.isSecret = isSecret
    }

    /// All but those of `s3file dev`.
    static let all: [KnownSetting] = [
        Self("DATABASE_URL", "database.url", isSecret: true),
        Self("S3FILE_LISTEN_URL", "s3file.listenUrl", "DATABASE_URL", isSecret: true),
        Self("S3FILE_BUCKET", "s3file.bucket"),
        Self("S3FILE_TMP_BUCKET", "s3file.tmpBucket", "S3FILE_BUCKET"),
        Self("AWS_ACCESS_KEY_ID", "aws.accessKeyId", "AWS's standard chain"),
        Self("AWS_SECRET_ACCESS_KEY", "aws.secretAccessKey", "AWS's standard chain", isSecret: true),
        Self("AWS_SESSION_TOKEN", "aws.sessionToken", isSecret: true),
        Self("AWS_REGION", "aws.region", "AWS_DEFAULT_REGION"),
        Self("AWS_DEFAULT_REGION", "aws.defaultRegion", "the profile's, or us-east-1"),
        Self("AWS_ENDPOINT_URL_S3", "aws.endpointUrlS3", "AWS_ENDPOINT_URL"),
        Self("AWS_ENDPOINT_URL", "aws.endpointUrl", "AWS"),
        Self("S3FILE_PUBLIC_ENDPOINT_URL", "s3file.publicEndpointUrl", "the endpoint"),
        Self("S3FILE_ADDRESSING", "s3file.addressing", "by endpoint"),
        Self("S3FILE_ORIGINS", "s3file.origins"),
        Self("S3FILE_SECRET", "s3file.secret", "the development secret; required in production", isSecret: true),
        Self("S3FILE_DJANGO_SECRET", "s3file.djangoSecret", isSecret: true),
        Self("S3FILE_ENVIRONMENT", "s3file.environment", "development"),
        Self("S3FILE_LOCATION", "s3file.location"),
        Self("S3FILE_TMP_PATH", "s3file.tmpPath", "tmp/s3file"),
        Self("S3FILE_TICKET_HOURS", "s3file.ticketHours", "12"),
        Self("S3FILE_EXPIRY_HOURS", "s3file.expiryHours", "24"),
        Self("S3FILE_POLICY_MINUTES", "s3file.policyMinutes", "60"),
        Self("S3FILE_STREAMED_FORMS", "s3file.streamedForms", "16"),
        Self("S3FILE_WEB_REQUESTS", "s3file.webRequests", "128"),
        Self("S3FILE_WORKER_CONCURRENCY", "s3file.workerConcurrency", "16"),
        Self("S3FILE_WORKER_QUEUES", "s3file.workerQueues", "all"),
        Self("S3FILE_STATUS_STREAMS", "s3file.statusStreams", "4000"),
        Self("S3FILE_FIELDS", "s3file.fields"),
        Self("S3FILE_API_KEYS", "s3file.apiKeys", isSecret: true),
        Self("S3FILE_SOCKET", "s3file.socket"),
        Self("S3FILE_PORT", "s3file.port", "8080"),
        Self("S3FILE_API_REQUESTS", "s3file.apiRequests", "128"),
        Self("S3FILE_RETENTION_STORED_DAYS", "s3file.retentionStoredDays", "0"),
        Self("S3FILE_RETENTION_UNSTORED_DAYS", "s3file.retentionUnstoredDays", "30"),
        Self("S3FILE_RETENTION_EVENT_DAYS", "s3file.retentionEventDays", "3"),
        Self("S3FILE_HEALTH_PORT", "s3file.healthPort"),
        Self("S3FILE_HEALTH_HOST", "s3file.healthHost", "127.0.0.1"),
        Self("S3FILE_LOG_FORMAT", "s3file.logFormat", "text"),
        Self("S3FILE_LOG_LEVEL", "s3file.logLevel", "info; error in commands that answer"),
        Self("S3FILE_CONFIG", "s3file.config", "s3file.json, if it is there"),
    ]

    func text(in reader: ConfigReader) -> String? { reader.text(forKey: ConfigKey(self.key), isSecret: self.isSecret) }
}
