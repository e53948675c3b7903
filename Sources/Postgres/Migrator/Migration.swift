/// One numbered change of the database, in up to three scripts.
package struct Migration: Sendable, Hashable {
    package enum Part: String, Sendable, Hashable, CaseIterable {
        /// `NNNN_name.sql`: safe while code of the version before runs.
        case pre
        /// `NNNN_name.post.sql`: for when no older code runs any more.
        case post
        /// `NNNN_name.down.sql`: takes both back, whether or not the post part had been applied.
        case down
    }

    package var version: Int
    package var name: String
    package var pre: MigrationScript
    package var post: MigrationScript?
    package var down: MigrationScript?

    package init(version: Int, name: String, sql: String, post: String? = nil, down: String? = nil) {
        self.version = version
        self.name = name
        self.pre = MigrationScript(sql)
        self.post = post.map(MigrationScript.init)
        self.down = down.map(MigrationScript.init)
    }

    package subscript(part: Part) -> MigrationScript? {
        switch part {
        case .pre: self.pre
        case .post: self.post
        case .down: self.down
        }
    }

    func validate() throws(MigrationError) {
        for part in Part.allCases {
            guard let problem = self[part]?.problem(as: part) else { continue }
            throw MigrationError(.invalidScript, "\(MigrationStep(migration: self, part: part)) cannot be used: \(problem)")
        }
    }
}

/// One script of a migration that is to run, or has.
package struct MigrationStep: Sendable, Hashable, CustomStringConvertible {
    package var migration: Migration
    package var part: Migration.Part

    package init(migration: Migration, part: Migration.Part) {
        self.migration = migration
        self.part = part
    }

    package var description: String {
        let name = "igration \(self.migration.version) (\(self.migration.name))"
        return self.part == .pre ? "M" + name : "The \(self.part.rawValue) part of m" + name
    }
}
