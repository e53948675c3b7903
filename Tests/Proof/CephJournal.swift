package import Foundation
package import S3DevServer

/// What Ceph's gateway has written down of the requests that it served, read as changes.
///
/// A line of its operations log is a request, with the moment at which it came
/// ([Ceph: `rgw_ops_log_file_path`](https://docs.ceph.com/en/latest/radosgw/config-ref/)). Metadata and ETags are not in it.
package enum CephJournal {
    private struct Line: Decodable {
        struct Deleted: Decodable {
            struct Object: Decodable {
                var key: String
                var error: Bool
            }
            var objects: [Object]
        }

        var bucket: String
        var object: String
        var time: String
        var operation: String
        var uri: String
        var http_status: String
        var op_data: Deleted?
    }

    /// Its clock is the kernel's coarse one, up to a tick behind: <https://man7.org/linux/man-pages/man2/clock_getres.2.html>.
    private static let tick: Int64 = 10_000

    /// The last line may have been cut off by a kill; so may one in the middle, and then another begins on it.
    package static func entries(of log: Data) throws -> [StoreJournal.Entry] {
        let decoder = JSONDecoder()
        let lines = log.split(separator: UInt8(ascii: "\n")).compactMap { try? decoder.decode(Line.self, from: $0) }
        var (entries, there): ([StoreJournal.Entry], Set<String>) = ([], [])
        for (line, at) in try lines.map({ ($0, try Self.microseconds($0.time)) }).sorted(by: { $0.1 < $1.1 }) {
            func note(_ change: StoreJournal.Entry.Change, _ key: String, at: Int64) {
                let isThere = there.contains(key)
                guard change == .put || isThere else { return }
                entries.append(
                    StoreJournal.Entry(
                        number: entries.count + 1,
                        at: at,
                        change: change,
                        bucket: line.bucket,
                        key: key,
                        etag: "",
                        replaced: change == .put && isThere ? "another" : nil
                    )
                )
                if change == .put { there.insert(key) } else { there.remove(key) }
            }
            guard line.http_status.hasPrefix("2") else { continue }
            switch line.operation {
            // A part is none yet.
            case "put_obj" where line.uri.contains("uploadId="): continue
            case "put_obj", "post_obj", "copy_obj", "complete_multipart": note(.put, line.object, at: at)
            case "delete_obj": note(.delete, line.object, at: at + Self.tick)
            case "multi_object_delete":
                for object in line.op_data?.objects ?? [] where !object.error {
                    note(.delete, object.key, at: at + Self.tick)
                }
            default: continue
            }
        }
        return entries
    }

    /// `2026-11-28T21:28:08.090609Z`: a date formatter keeps thousandths only.
    private static func microseconds(_ time: String) throws -> Int64 {
        let halves = time.split(separator: ".")
        guard halves.count == 2, let fraction = Int64(halves[1].dropLast()), halves[1].count == 7 else {
            throw CocoaError(.formatting)
        }
        let seconds = try Date("\(halves[0])Z", strategy: .iso8601).timeIntervalSince1970
        return Int64(seconds) * 1_000_000 + fraction
    }
}
