/// Everything that the web side, the workers and the command line have to know, as plain values.
public struct S3FileConfiguration: Sendable {
    /// Where this runs. Production refuses what only development may have.
    public enum Environment: String, Sendable {
        /// On somebody's own machine: the development server, its keys and a secret that everybody knows will do.
        case development
        /// Where people's files are.
        case production
    }

    /// Where this runs.
    public var environment: Environment
    /// Postgres, as libpq writes it: `postgresql://user@host/database?sslmode=verify-full`.
    /// <https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING>
    public var databaseURL: String
    /// The bucket of stored files.
    public var bucket: String
    /// The bucket that browsers post to; the same unless told otherwise.
    public var tmpBucket: String
    /// The bucket's region.
    public var region: String
    /// S3 as this process reaches it; `nil` is AWS.
    public var endpointURL: String?
    /// S3 as browsers reach it; `nil` is ``endpointURL``.
    public var publicEndpointURL: String?
    /// `path` or `virtual-host`; `nil` decides by the endpoint.
    public var addressing: String?
    /// The pages' origins, such as `https://app.example.com`: the bucket has to let their browsers post. `s3file check` asks it for each, and
    /// `s3file bucket setup` writes the rule.
    public var origins: [String]
    /// Who this process is for S3.
    public var credentials: Credentials
    /// Secrets of tickets and tokens: the first signs, all verify.
    public var secrets: [String]
    /// `SECRET_KEY` of a Django app with django-s3file, whose forms this app then takes, and which takes those of ``Uploads/djangoInput(_:)``.
    /// Its signature binds a folder alone, to no field, user or time: `nil`, unless that is wanted.
    /// At least 16 bytes, and in production not one that Django made for development.
    public var djangoSecret: String?
    /// A prefix of every key, tmp and stored; empty for none.
    public var location: String
    /// The folder of tmp objects below ``location``.
    public var tmpPath: String
    /// How long a drawn input can be used.
    public var ticketLifetime: Duration
    /// How long the POST policy of a drawn input can be used. The page's script asks for a fresh one for as long as the ticket lives, so it can
    /// be much shorter than that: it is what a copied page is good for at the store, where nobody asks the app. A page with another
    /// script, which cannot ask, has this long.
    public var policyLifetime: Duration
    /// How old a tmp object must be before the sweep takes it. At least an hour longer than ``ticketLifetime``.
    public var expiry: Duration
    /// How many forms may bring their files through one web process at a time, 0 to 10,000; each takes two buffers of 8 MiB, or more above
    /// 8 GB.
    public var streamedForms: Int
    /// How many forms one web process verifies and enqueues at a time, and how many requests of the page's script it answers beside them,
    /// 1 to 100,000; one more is answered 503. Of `s3file serve` only the script's: its forms come from the app, and have `S3FILE_API_REQUESTS`.
    public var webRequests: Int
    /// How many uploads one worker process moves at a time.
    public var workerConcurrency: Int
    /// The queues that a worker process serves; `nil` for all.
    public var workerQueues: [String]?
    /// Postgres without a transaction pooler between, for LISTEN; `nil` is ``databaseURL``. Without a way to listen, workers poll.
    public var listenURL: String?
    /// How many may wait for news of uploads at a time in one web process, by event streams and long polls; more are answered 503.
    public var statusStreams: Int
    /// For how long records are kept.
    public var retention: Retention

    /// For how long records are kept. `nil` is for ever.
    public struct Retention: Sendable, Equatable {
        /// Of stored uploads. The files stay in any case.
        public var stored: Duration?
        /// Of failed, cancelled and expired uploads.
        public var unstored: Duration?
        /// Of events, which tell how uploads came to where they are.
        public var events: Duration?

        /// How long to keep records of each kind; `nil` is for ever.
        public init(
            stored: Duration? = nil,
            unstored: Duration? = .seconds(30 * 86_400),
            events: Duration? = .seconds(3 * 86_400)
        ) {
            self.stored = stored
            self.unstored = unstored
            self.events = events
        }
    }

    /// The secret that development uses when none is set, so that a first program runs without ceremony. `check --deploy` refuses it.
    public static let developmentSecret = "s3file-dev-secret-for-this-machine-only"
    /// How generated development secrets begin, so that the deploy check knows them.
    public static let developmentSecretPrefix = "s3file-dev-"
    /// The development S3 server's access key.
    public static let developmentAccessKeyID = "s3file-dev"
    /// The development S3 server's secret key.
    public static let developmentSecretAccessKey = "s3file-dev-secret-key"

    /// Settings as plain values; what each means is said at the property of its name.
    ///
    /// - Throws: ``ConfigurationError`` for a value that cannot work, naming the setting as the environment has it.
    public init(
        environment: Environment = .development,
        databaseURL: String,
        bucket: String,
        tmpBucket: String? = nil,
        region: String = "us-east-1",
        endpointURL: String? = nil,
        publicEndpointURL: String? = nil,
        addressing: String? = nil,
        origins: [String] = [],
        credentials: Credentials = .standardChain,
        secrets: [String],
        djangoSecret: String? = nil,
        location: String = "",
        tmpPath: String = "tmp/s3file",
        ticketLifetime: Duration = .seconds(12 * 3600),
        policyLifetime: Duration = .seconds(3600),
        expiry: Duration = .seconds(24 * 3600),
        streamedForms: Int = 16,
        webRequests: Int = 128,
        workerConcurrency: Int = 16,
        workerQueues: [String]? = nil,
        listenURL: String? = nil,
        statusStreams: Int = 4_000,
        retention: Retention = Retention()
    ) throws {
        self.environment = environment
        self.databaseURL = databaseURL
        self.bucket = bucket
        self.tmpBucket = tmpBucket ?? bucket
        self.region = region
        self.endpointURL = endpointURL
        self.publicEndpointURL = publicEndpointURL
        self.addressing = addressing
        self.origins = origins
        self.credentials = credentials
        self.secrets = secrets
        self.djangoSecret = djangoSecret
        self.location = location
        self.tmpPath = tmpPath
        self.ticketLifetime = ticketLifetime
        self.policyLifetime = policyLifetime
        self.expiry = expiry
        self.streamedForms = streamedForms
        self.webRequests = webRequests
        self.workerConcurrency = workerConcurrency
        self.workerQueues = workerQueues
        self.listenURL = listenURL
        self.statusStreams = statusStreams
        self.retention = retention
        try self.validate()
    }

    /// The prefix of every tmp key, without trailing slash.
    package var tmpPrefix: String {
        self.location.isEmpty ? self.tmpPath : self.location + "/" + self.tmpPath
    }

    /// Refuses to run with what everybody knows: the secret in this source, on any store but the development server's, and anything for
    /// development in production.
    ///
    /// - Throws: ``ConfigurationError`` naming the setting.
    package func refuseDevelopmentSettings() throws {
        let isProduction = self.environment == .production
        guard !isProduction || self.accessKeyID != Self.developmentAccessKeyID else {
            throw ConfigurationError(
                "AWS_ACCESS_KEY_ID is the development server's, and this is production: set that of your bucket"
            )
        }
        let isKnown = { (secret: String) in
            secret == Self.developmentSecret || (isProduction && secret.hasPrefix(Self.developmentSecretPrefix))
        }
        guard !self.secrets.contains(where: isKnown) || (!isProduction && self.accessKeyID == Self.developmentAccessKeyID) else {
            throw ConfigurationError(
                "S3FILE_SECRET is the development default, with which anybody can sign: set it to 48 random characters"
            )
        }
    }

    private func validate() throws {
        guard CanonicalKey.isCanonical(self.tmpPath), self.tmpPath.utf8.count <= 256 else {
            throw ConfigurationError("S3FILE_TMP_PATH must be a folder such as tmp/s3file, without a slash at either end")
        }
        guard self.location.isEmpty || (CanonicalKey.isCanonical(self.location) && self.location.utf8.count <= 256) else {
            throw ConfigurationError("S3FILE_LOCATION must be a folder such as media, without a slash at either end, or empty")
        }
        guard self.ticketLifetime >= .seconds(60), self.ticketLifetime <= .seconds(7 * 86_400) else {
            throw ConfigurationError("S3FILE_TICKET_HOURS must lie between a minute and 7 days")
        }
        guard self.policyLifetime >= .seconds(60), self.policyLifetime <= .seconds(7 * 86_400) else {
            throw ConfigurationError("S3FILE_POLICY_MINUTES must lie between 1 minute and 7 days")
        }
        guard self.expiry >= self.ticketLifetime + .seconds(3600) else {
            throw ConfigurationError(
                "S3FILE_EXPIRY_HOURS must be at least an hour longer than S3FILE_TICKET_HOURS, or the sweep could take files of open forms"
            )
        }
        guard (0...10_000).contains(self.streamedForms) else {
            throw ConfigurationError("S3FILE_STREAMED_FORMS must lie between 0 and 10000")
        }
        guard (1...100_000).contains(self.webRequests) else {
            throw ConfigurationError("S3FILE_WEB_REQUESTS must lie between 1 and 100000")
        }
        guard (1...1_000).contains(self.workerConcurrency) else {
            throw ConfigurationError("S3FILE_WORKER_CONCURRENCY must lie between 1 and 1000")
        }
        guard (0...1_000_000).contains(self.statusStreams) else {
            throw ConfigurationError("S3FILE_STATUS_STREAMS must lie between 0 and 1000000")
        }
        guard self.workerQueues.map({ !$0.isEmpty && $0.allSatisfy(Self.isQueueName) }) ?? true else {
            throw ConfigurationError(
                "S3FILE_WORKER_QUEUES must be names of queues by comma, such as default,thumbnails, or empty for all"
            )
        }
        for origin in self.origins {
            guard Self.isOrigin(origin) else {
                throw ConfigurationError(
                    "S3FILE_ORIGINS has \"\(origin)\": write origins by comma, as browsers send them, such as https://app.example.com, without a path"
                )
            }
        }
        if let secret = self.djangoSecret {
            guard secret.utf8.count >= 16 else {
                throw ConfigurationError(
                    "S3FILE_DJANGO_SECRET has \(secret.utf8.count) bytes, with which anybody could sign: set it to the SECRET_KEY of the Django app, 16 bytes or more, or leave it out"
                )
            }
            // As `django-admin startproject` writes it into the settings, and from there into the repository.
            guard self.environment != .production || !secret.hasPrefix("django-insecure-") else {
                throw ConfigurationError(
                    "S3FILE_DJANGO_SECRET begins with django-insecure-, and this is production: give the Django app a SECRET_KEY of its own, and set it to that"
                )
            }
        }
        for (name, bucket) in [("S3FILE_BUCKET", self.bucket), ("S3FILE_TMP_BUCKET", self.tmpBucket)] {
            guard (3...255).contains(bucket.utf8.count), !bucket.contains("/") else {
                throw ConfigurationError("\(name) must be the name of a bucket, 3 to 63 characters")
            }
        }
    }

    /// Scheme, host and port, in lower case: <https://www.rfc-editor.org/rfc/rfc6454#section-6.2>
    private static func isOrigin(_ text: String) -> Bool {
        text.utf8.count <= 300 && text.wholeMatch(of: /https?:\/\/([a-z0-9_.\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/) != nil
    }

    /// As the table of queues has it.
    private static func isQueueName(_ name: String) -> Bool {
        name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}/) != nil
    }
}
