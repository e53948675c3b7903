import ArgumentParser
import Foundation
import S3File

/// Which uploads a command is about.
struct FilterOptions: ParsableArguments {
    @Option(help: "Only those in this queue.")
    var queue: String?

    @Option(help: "Only those of this owner.")
    var owner: String?

    @Option(name: .customLong("in-bucket"), help: "Only those to this bucket.")
    var inBucket: String?

    @Option(help: "Only those whose last error has this code, such as AccessDenied.")
    var errorCode: String?

    @Option(help: ArgumentHelp("Only those enqueued longer ago than this: 90s, 30m, 12h, 7d.", valueName: "age"))
    var olderThan: Age?

    @Option(help: ArgumentHelp("Only those enqueued since.", valueName: "age"))
    var newerThan: Age?

    func validate() throws {
        if let older = self.olderThan, let newer = self.newerThan, older.duration >= newer.duration {
            throw ValidationError("Nothing is older than \(older.duration.short) and newer than \(newer.duration.short)")
        }
    }

    func filter(_ statuses: [UploadStatus]) -> UploadFilter {
        var filter = UploadFilter()
        filter.statuses = statuses.isEmpty ? nil : statuses
        filter.queue = self.queue
        filter.owner = self.owner
        filter.bucket = self.inBucket
        filter.errorCode = self.errorCode
        filter.createdUntil = self.olderThan?.before()
        filter.createdFrom = self.newerThan?.before()
        return filter
    }
}

/// The statuses, as an option's values.
enum StatusArgument: String, ExpressibleByArgument, CaseIterable {
    case queued, moving, stored, failed, cancelled, expired

    var status: UploadStatus {
        switch self {
        case .queued: .queued
        case .moving: .moving
        case .stored: .stored
        case .failed: .failed
        case .cancelled: .cancelled
        case .expired: .expired
        }
    }
}

/// An upload's id on the command line.
struct UploadID: ExpressibleByArgument, Hashable {
    var id: UUID

    init?(argument: String) {
        guard let id = UUID(uuidString: argument) else { return nil }
        self.id = id
    }
}

extension UUID {
    /// As Postgres and the status API write it.
    var text: String { self.uuidString.lowercased() }
}
