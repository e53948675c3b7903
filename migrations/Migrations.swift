/// The numbered SQL files of this folder, embedded in the binary so that `s3file migrate` needs nothing beside it.
///
/// To add one: write `NNNN_name.sql`, with `.post.sql` and `.down.sql` beside it where it has them; name the files in Package.swift; add a
/// line to ``all`` here, and one to up.psql. A file's bytes are `PackageResources._NNN_name_sql`: its first digit and its dots become `_`.
package enum Migrations {
    /// One version: `0001_uploads.sql` is version 1, `uploads`.
    package struct Version: Sendable {
        package let number: Int
        package let name: String
        /// Safe while code of the version before runs.
        package let pre: String
        /// For when no older code runs any more.
        package let post: String?
        /// The way back.
        package let down: String?

        init(_ number: Int, _ name: String, _ pre: [UInt8], post: [UInt8]? = nil, down: [UInt8]? = nil) {
            self.number = number
            self.name = name
            self.pre = String(decoding: pre, as: UTF8.self)
            self.post = post.map { String(decoding: $0, as: UTF8.self) }
            self.down = down.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// In order. A file that was released is never edited: a change is a new file.
    package static let all: [Version] = [
        Version(1, "uploads", PackageResources._001_uploads_sql),
        Version(2, "jobs", PackageResources._002_jobs_sql, down: PackageResources._002_jobs_down_sql),
        Version(3, "enqueue", PackageResources._003_enqueue_sql, down: PackageResources._003_enqueue_down_sql),
        Version(4, "claim", PackageResources._004_claim_sql, down: PackageResources._004_claim_down_sql),
        Version(5, "settle", PackageResources._005_settle_sql, down: PackageResources._005_settle_down_sql),
        Version(6, "moves", PackageResources._006_moves_sql, down: PackageResources._006_moves_down_sql),
        Version(7, "upkeep", PackageResources._007_upkeep_sql, down: PackageResources._007_upkeep_down_sql),
        Version(8, "observe", PackageResources._008_observe_sql, down: PackageResources._008_observe_down_sql),
        Version(9, "operators", PackageResources._009_operators_sql, down: PackageResources._009_operators_down_sql),
        Version(10, "dashboard", PackageResources._010_dashboard_sql, down: PackageResources._010_dashboard_down_sql),
        Version(11, "errors", PackageResources._011_errors_sql, down: PackageResources._011_errors_down_sql),
        Version(12, "backoff", PackageResources._012_backoff_sql, down: PackageResources._012_backoff_down_sql),
        Version(13, "passing", PackageResources._013_passing_sql, down: PackageResources._013_passing_down_sql),
        Version(14, "comparison", PackageResources._014_comparison_sql, down: PackageResources._014_comparison_down_sql),
        Version(15, "given_up", PackageResources._015_given_up_sql, down: PackageResources._015_given_up_down_sql),
    ]

    /// Makes the table of what was applied, or brings it up to date.
    package static let record = String(decoding: PackageResources.schema_migration_sql, as: UTF8.self)
}
