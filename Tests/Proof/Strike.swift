/// What goes wrong, when, and for how long.
package struct Strike: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        case killWorker = "kill-worker"
        case killWeb = "kill-web"
        /// SIGSTOP, and SIGCONT past the lease.
        case pauseWorker = "pause-worker"
        /// A process's clock jumps, and later back.
        case jumpClock = "jump-clock"
        /// Postgres ends in immediate mode, as in a crash, and starts again.
        case crashPostgres = "crash-postgres"
        /// Postgres is gone, its standby takes over, and the old one comes back as the standby.
        case failOverPostgres = "fail-over-postgres"
        case cutPostgres = "cut-postgres"
        case stallPostgres = "stall-postgres"
        /// Nothing passes between one worker and Postgres until its lease may be another's; then what was held goes on.
        case blackHolePostgres = "black-hole-postgres"
        case losePostgresReplies = "lose-postgres-replies"
        /// SIGKILL to the store, which starts again on what it has.
        case crashStore = "crash-s3"
        case cutStore = "cut-s3"
        case stallStore = "stall-s3"
        case blackHoleStore = "black-hole-s3"
        /// On the way: the store has done what it was asked for.
        case loseStoreReplies = "lose-s3-replies"
        case slowDown = "s3-503"
        case internalError = "s3-500"
        case errorIn200 = "s3-200-error"
        case conflict = "s3-409"
        case preconditionFailed = "s3-412"
        case loseReply = "s3-lose-reply"
        case loseRequest = "s3-lose-request"
        case truncate = "s3-truncate"
        case stall = "s3-stall"
        /// Nothing more can be written where the store and Postgres keep what they have.
        case fillDisk = "fill-disk"
        /// No fault: a sweep that comes by, while everything else goes on.
        case sweep

        package var isKill: Bool { self == .killWorker || self == .killWeb }

        /// The rule by which the store misbehaves; nil of all others.
        package var rule: String? {
            switch self {
            case .slowDown: "slow-down rate=0.3"
            case .internalError: "internal-error rate=0.3"
            case .errorIn200:
                "error-in-200 rate=0.3 operation=CopyObject;error-in-200 rate=0.3 operation=CompleteMultipartUpload;error-in-200 rate=0.3 operation=UploadPartCopy"
            case .conflict: "conflict rate=0.3 operation=CopyObject;conflict rate=0.3 operation=CompleteMultipartUpload"
            case .preconditionFailed:
                "precondition-failed rate=0.2 operation=CopyObject;precondition-failed rate=0.2 operation=CompleteMultipartUpload"
            case .loseReply: "lose-reply rate=0.3"
            case .loseRequest: "lose-request rate=0.3"
            case .truncate: "truncate rate=0.3"
            case .stall: "stall=8s rate=0.05"
            default: nil
            }
        }

        /// How likely among those that are not counted one by one, and how long it lasts, in milliseconds.
        var chance: (weight: Int, duration: ClosedRange<Int>) {
            switch self {
            case .killWorker, .killWeb: (0, 0...0)
            case .pauseWorker: (2, 17_000...26_000)
            case .jumpClock: (3, 3_000...20_000)
            case .crashPostgres: (2, 0...1_500)
            case .failOverPostgres, .crashStore: (1, 0...1_500)
            case .cutPostgres, .stallPostgres, .cutStore, .stallStore: (3, 0...0)
            case .blackHolePostgres: (3, 15_000...26_000)
            case .losePostgresReplies, .loseStoreReplies: (5, 0...0)
            case .blackHoleStore: (2, 3_000...25_000)
            case .fillDisk: (1, 3_000...10_000)
            case .sweep: (12, 0...0)
            default: (3, 3_000...8_000)
            }
        }
    }

    package var kind: Kind
    /// Milliseconds from the beginning of the run.
    package var start: Int
    /// Milliseconds.
    package var duration: Int
    /// Whom it hits, of those that there are; drawn for every strike.
    package var target: Int

    /// Seconds by which a clock jumps: some go unnoticed, others are beyond what S3 takes, which is 15 minutes
    /// ([AWS: RequestTimeTooSkewed](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
    package var jump: Int { [40, -40, 1_200, -1_200, 7_200, -100_000][self.target % 6] }
}
