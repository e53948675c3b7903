/// The numbered SQL files of this folder, embedded in the binary so that `s3file migrate` needs nothing beside it.
package enum Migrations {
    /// One file: `0001_uploads.sql` is version 1, `uploads`.
    package struct File: Sendable {
        package let version: Int
        package let name: String
        package let sql: String
    }

    /// In order. A file that was released is never edited: a change is a new file.
    package static let all: [File] = [
        File(version: 1, name: "uploads", sql: String(decoding: PackageResources._001_uploads_sql, as: UTF8.self)),
        File(version: 2, name: "jobs", sql: String(decoding: PackageResources._002_jobs_sql, as: UTF8.self)),
        File(version: 3, name: "enqueue", sql: String(decoding: PackageResources._003_enqueue_sql, as: UTF8.self)),
        File(version: 4, name: "work", sql: String(decoding: PackageResources._004_work_sql, as: UTF8.self)),
    ]
}
