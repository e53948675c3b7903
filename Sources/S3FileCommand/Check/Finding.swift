/// One thing that a check found wrong.
struct Finding: Sendable, Equatable, CustomStringConvertible {
    /// Stable, so that it can be looked up and silenced: `s3file.E001`.
    var id: String
    /// What is wrong and what to do.
    var message: String

    var description: String { "\(self.id): \(self.message)" }

    static let devServer = Finding(
        id: "s3file.E001",
        message:
            "S3 is the development server, which is for one machine only: point AWS_ENDPOINT_URL_S3 at a real S3, or unset it for AWS."
    )
    static let defaultSecret = Finding(
        id: "s3file.E002",
        message: "S3FILE_SECRET is the development default, so anybody could sign tickets: set it to 48 random characters."
    )
    static let developmentEnvironment = Finding(
        id: "s3file.E003",
        message: "S3FILE_ENVIRONMENT is development: set it to production."
    )

    static func database(_ reason: String) -> Finding {
        Finding(id: "s3file.E004", message: "Postgres cannot be used: \(reason) Check DATABASE_URL.")
    }
    static func notMigrated(_ count: Int) -> Finding {
        Finding(id: "s3file.E005", message: "\(count) migration\(count == 1 ? " is" : "s are") missing: run s3file migrate.")
    }
    static func otherTables(_ versions: [Int]) -> Finding {
        let versions = versions.map(String.init).joined(separator: ", ")
        return Finding(
            id: "s3file.E007",
            message:
                "The tables are not those of this program (version \(versions)): s3file migrate status tells how they differ."
        )
    }
    static func bucket(_ reason: String) -> Finding {
        Finding(
            id: "s3file.E006",
            message: "A bucket cannot be used: \(reason) "
                + "Check S3FILE_BUCKET, S3FILE_TMP_BUCKET, AWS_REGION and the credentials."
        )
    }
}
