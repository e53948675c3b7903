import Foundation
import NIOConcurrencyHelpers

/// What became of objects, in the order in which it did: a line for each change that took effect, written in the same step. Requests that were
/// refused, or got lost, are not in it.
///
/// It is there for those who doubt: what a store has in the end does not tell what it had between.
package final class StoreJournal: Sendable {
    /// One change; a line of JSON.
    package struct Entry: Codable, Hashable, Sendable {
        package enum Change: String, Codable, Sendable {
            /// An object was put where there was none, or in the place of another.
            case put
            case delete
        }

        /// Counted from 1.
        package var number: Int
        /// Microseconds since 1970, by the server's clock.
        package var at: Int64
        package var change: Change
        package var bucket: String
        package var key: String
        /// Of what was put, or deleted, without quotes.
        package var etag: String
        package var size: Int64
        /// Of what was put: its metadata.
        package var metadata: [String: String]?
        /// The ETag of what was there before.
        package var replaced: String?

        package init(
            number: Int,
            at: Int64,
            change: Change,
            bucket: String,
            key: String,
            etag: String,
            size: Int64 = 0,
            metadata: [String: String]? = nil,
            replaced: String? = nil
        ) {
            self.number = number
            self.at = at
            self.change = change
            self.bucket = bucket
            self.key = key
            self.etag = etag
            self.size = size
            self.metadata = metadata
            self.replaced = replaced
        }
    }

    private let descriptor: Int32
    private let last = NIOLockedValueBox(0)

    /// - Throws: ``FileError`` when the file cannot be made; there may be none yet.
    init(path: String) throws {
        self.descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_EXCL)
    }

    deinit {
        Files.shut(self.descriptor)
    }

    /// Called while the store's lock is held, so that lines are in the order of what they tell.
    func note(_ entry: Entry) throws {
        try self.last.withLockedValue { last in
            var entry = entry
            entry.number = last + 1
            var line = try JSONEncoder().encode(entry)
            line.append(UInt8(ascii: "\n"))
            try line.withUnsafeBytes { try Files.writeAll($0, to: self.descriptor) }
            last += 1
        }
    }

    /// The entries of a file, the last of which may have been cut off by a kill.
    package static func entries(of path: String) throws -> [Entry] {
        let decoder = JSONDecoder()
        let lines = try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n"))
        return try lines.enumerated().compactMap { index, line in
            do {
                return try decoder.decode(Entry.self, from: line)
            } catch {
                guard index == lines.count - 1 else { throw error }
                return nil
            }
        }
    }
}

extension Store {
    /// - Parameter replaced: what was there before, if anything.
    func noteInJournal(put record: ObjectRecord, _ bucket: String, _ key: ObjectKey, over replaced: BucketIndex.Entry?) throws {
        try self.journal?.note(
            StoreJournal.Entry(
                number: 0,
                at: self.journalTime,
                change: .put,
                bucket: bucket,
                key: key.text,
                etag: record.etag,
                size: record.size,
                metadata: record.attributes.metadata,
                replaced: replaced.flatMap { $0.isDeleteMarker ? nil : $0.etag }
            )
        )
    }

    func noteInJournal(deletionOf entry: BucketIndex.Entry, _ bucket: String, _ key: ObjectKey) throws {
        try self.journal?.note(
            StoreJournal.Entry(
                number: 0,
                at: self.journalTime,
                change: .delete,
                bucket: bucket,
                key: key.text,
                etag: entry.etag,
                size: entry.size
            )
        )
    }

    private var journalTime: Int64 { Int64((self.now().timeIntervalSince1970 * 1_000_000).rounded(.down)) }
}
