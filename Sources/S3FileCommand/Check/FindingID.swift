/// What `s3file check` can find, by ids that stay: errors begin with E, warnings with W. The README's table has a line for each.
enum FindingID: String, CaseIterable, Sendable, Encodable {
    case devServer = "s3file.E001"
    case defaultSecret = "s3file.E002"
    case developmentEnvironment = "s3file.E003"
    case database = "s3file.E004"
    case notMigrated = "s3file.E005"
    case bucket = "s3file.E006"
    case otherTables = "s3file.E007"
    case oldPostgres = "s3file.E008"
    case roleLacksRights = "s3file.E009"
    case noCredentials = "s3file.E010"
    case endedCredentials = "s3file.E011"
    case bucketRights = "s3file.E012"
    case publicBucket = "s3file.E013"
    case formRefused = "s3file.E014"
    case formAccepted = "s3file.E015"
    case originRefused = "s3file.E016"
    case expiresTooEarly = "s3file.E017"
    case expiresStored = "s3file.E018"
    case clockWrong = "s3file.E019"
    case shortSecret = "s3file.E020"
    case otherRegion = "s3file.E021"

    case superuser = "s3file.W001"
    case owner = "s3file.W002"
    case bothRoles = "s3file.W003"
    case deaf = "s3file.W004"
    case endingCredentials = "s3file.W005"
    case noOrigins = "s3file.W006"
    case partsRefused = "s3file.W007"
    case anyOrigin = "s3file.W008"
    case noExpiry = "s3file.W009"
    case noAbort = "s3file.W010"
    case versionsStay = "s3file.W011"
    case notEncrypted = "s3file.W012"
    case clockOff = "s3file.W013"
    case weakFence = "s3file.W014"
    case weakSecret = "s3file.W015"
    case lesserRights = "s3file.W016"
    case notLookedAt = "s3file.W017"
    case lifetimes = "s3file.W018"
    case plainS3 = "s3file.W019"
    case plainPostgres = "s3file.W020"

    enum Level: String, Sendable, Encodable, Comparable {
        case warning, error

        static func < (lhs: Level, rhs: Level) -> Bool { lhs == .warning && rhs == .error }
    }

    var level: Level { self.rawValue.contains(".E") ? .error : .warning }

    /// For the table.
    var title: String { self.words.title }
    /// Why it matters.
    var why: String { self.words.why }

    private var words: (title: String, why: String) {
        switch self {
        case .devServer: ("S3 is the development server", "It serves one machine, and everybody knows its keys.")
        case .defaultSecret: ("`S3FILE_SECRET` is the development default", "Anybody could sign tickets with it.")
        case .developmentEnvironment:
            ("`S3FILE_ENVIRONMENT` is not production", "In development, what is unsafe is let through without a word.")
        case .database: ("Postgres cannot be used", "Nothing can be enqueued, moved or shown.")
        case .notMigrated: ("Migrations are missing", "This program does not work with older tables.")
        case .bucket: ("A bucket cannot be used", "No file can be uploaded or moved.")
        case .otherTables: ("The tables are not this program's", "Programs and tables that do not fit each other refuse to work.")
        case .oldPostgres: ("Postgres is too old", "The functions in the tables need version 13.")
        case .roleLacksRights: ("The database role lacks rights", "What the role may not do fails when it is needed.")
        case .noCredentials: ("There are no credentials for S3", "No form can be signed, and no file moved.")
        case .endedCredentials: ("The S3 credentials have ended", "S3 refuses everything that is signed with them.")
        case .bucketRights: ("The credentials lack rights in a bucket", "Uploads or moves would fail half-way.")
        case .publicBucket:
            ("Anybody can read a bucket", "Uploads are open to everybody, also those that no form has claimed yet.")
        case .formRefused: ("A good form is refused", "Browsers could not upload anything.")
        case .formAccepted: ("A bad form is accepted", "Whoever has a form could upload what its field does not allow.")
        case .originRefused: ("Pages of an origin may not post", "Browsers block the upload before it begins.")
        case .expiresTooEarly: ("A lifecycle rule deletes tmp objects too early", "Files that wait to be moved would be lost.")
        case .expiresStored: ("A lifecycle rule deletes stored files", "What the record calls stored would be gone.")
        case .clockWrong: ("A clock is wrong", "S3 refuses signatures that are more than 15 minutes off.")
        case .shortSecret: ("A secret is too short", "It could be guessed, and then anybody could sign tickets.")
        case .otherRegion: ("The bucket is in another region", "S3 refuses what is signed for the wrong one.")
        case .superuser: ("The database role is a superuser", "An injected statement could do anything in the whole cluster.")
        case .owner: ("The database role owns the tables", "It needs to call functions only; as owner it could drop them.")
        case .bothRoles: ("The database role has both halves", "A web process needs no worker's rights, nor the other way round.")
        case .deaf: ("LISTEN hears nothing", "Workers and status pages look once a second instead of at once.")
        case .endingCredentials: ("The S3 credentials end soon, and cannot be renewed", "Everything stops when they end.")
        case .noOrigins: ("No origins are known", "Whether browsers may post could not be asked.")
        case .partsRefused: ("Pages of an origin may not send parts", "Resumable uploads, and all above 5 GB, do not work.")
        case .anyOrigin: ("Pages of any origin may post", "A stolen form works in anybody's page.")
        case .noExpiry: ("No lifecycle rule expires tmp objects", "If no worker sweeps, they stay, and cost money.")
        case .noAbort: ("No rule gives up unfinished uploads in parts", "Their parts are in no list, stay, and cost money.")
        case .versionsStay: ("Old versions of tmp objects stay", "What is deleted is only hidden, and costs money.")
        case .notEncrypted: ("The bucket has no default encryption", "Objects lie in plain on the store's disks.")
        case .clockOff: ("Clocks differ", "Forms end earlier or later than they say, and ages are wrong.")
        case .weakFence: ("The store ignores conditions on copies", "A move relies on the record and on looking twice alone.")
        case .weakSecret: ("A secret is weak or used twice", "Secrets that are guessed or shared let others sign tickets.")
        case .lesserRights: ("The credentials lack a lesser right", "Something is left lying, or one feature does not work.")
        case .notLookedAt: ("Something could not be looked at", "Whether it is as it should be is not known.")
        case .lifetimes: ("Lifetimes do not fit each other", "Something ends before what depends on it.")
        case .plainS3: ("S3 is spoken to without TLS", "Files and signed requests can be read on the way.")
        case .plainPostgres: ("Postgres is spoken to without TLS", "Passwords and records can be read on the way.")
        }
    }
}
