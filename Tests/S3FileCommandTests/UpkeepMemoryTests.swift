import Foundation
import Postgres
import TestEnvironment
import Testing

@testable import S3File

/// The memory of `s3file sweep` and `s3file reconcile` does not grow with what there is.
@Suite(.timeLimit(.minutes(10)))
struct UpkeepMemoryTests {
    /// Runs a program, and prints the most memory it ever had, in kilobytes.
    private static let measure = """
        import resource, subprocess, sys
        code = subprocess.run(sys.argv[1:]).returncode
        print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)
        """

    private func peak(_ arguments: [String], objects count: Int, in folder: String, _ database: String) async throws -> Int {
        try await ListingStore.with(objects: count, in: folder, database: database) { settings in
            let (lines, code) = try await Program.output(
                "python3",
                ["-c", Self.measure, "\(Program.folder)/s3file"] + arguments,
                environment: settings
            )
            #expect(code == 0, "\(lines)")
            #expect(lines.contains { $0.contains("\(count) ") }, "\(lines)")
            return try #require(lines.last.flatMap { Int($0.dropFirst("peak ".count)) })
        }
    }

    /// As many stored uploads as objects.
    private func record(_ count: Int, _ database: PostgresClient) async throws {
        _ = try await database.query("truncate s3file.upload, s3file.job, s3file.event")
        _ = try await database.query(
            """
            insert into s3file.upload (id, state, attempt, filename, content_type, size, tmp_bucket, tmp_key, etag, bucket, key,
                                       stored_etag, finished_at)
            select s3file.uuid_v7(), 2, 1, 'x', 'text/plain', 5, 'media', 'tmp/s3file/f/' || i, '"e"', 'media', 'docs/' || lpad(i::text, 8, '0'),
                   '"e"', now()
              from generate_series(0, \(Int32(count - 1))) i
            """
        )
    }

    @Test(arguments: [["sweep"], ["sweep", "--dry-run"], ["reconcile"]])
    func `fifty thousand objects take no more memory than a thousand`(arguments: [String]) async throws {
        try await withMigratedDatabase { database, url in
            let isReconciling = arguments == ["reconcile"]
            var peaks: [Int] = []
            for count in [1_000, 50_000] {
                if isReconciling { try await self.record(count, database) }
                peaks.append(try await self.peak(arguments, objects: count, in: isReconciling ? "docs/" : "tmp/s3file/f/", url))
            }
            print("\(arguments.joined(separator: " ")): peak \(peaks[0]) kB with 1,000 objects, \(peaks[1]) kB with 50,000")
            #expect(peaks[1] - peaks[0] < 16_000, "\(peaks)")
        }
    }
}
