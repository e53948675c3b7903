import Foundation
import S3
import S3File
import S3FileHTTP

extension FuzzedReader {
    /// What of a request's header or query is read is read again from how it is written.
    static func checkHeaders(_ bytes: [UInt8]) throws(InvariantViolation) {
        let text = String(decoding: bytes, as: UTF8.self)
        for count in 0...3 {
            guard let id = LastEventID(text, count: count) else { continue }
            try require(id.position >= 0 && id.told.count == count, "an event's id is \(id)")
            try require(LastEventID(id.text, count: count) == id, "an event's id is written as \(id.text)")
            try require(id.text.utf8.count <= LastEventID.mostBytes, "an event's id has \(id.text.utf8.count) bytes")
        }
        if let parent = Traceparent(text) {
            try require(parent.description == text && parent.traceID.utf8.count == 32, "a span is called \(parent)")
        }
        if let pairs = URIEncoding.parseQuery(text) {
            let again = URIEncoding.parseQuery(URIEncoding.query(pairs))
            try require(
                again.map { $0.count == pairs.count && zip($0, pairs).allSatisfy { $0 == $1 } } ?? false,
                "a query is written as \(URIEncoding.query(pairs))"
            )
        }
        try Self.check(text, Timestamp.parseHTTP, Timestamp.http)
        try Self.check(text, Timestamp.parseISO8601, Timestamp.iso8601)
        try Self.check(text, Timestamp.parseSignature, Timestamp.signature)
        let type = ContentType.essence(text)
        if ContentType.isValid(type) {
            try require(!type.utf8.contains { $0 <= 0x20 || $0 >= 0x7F }, "\(type.debugDescription) passes for a type")
        }
        let told = ContentType.told(by: bytes, declared: "application/x-declared")
        try require(ContentType.isValid(ContentType.essence(told)), "bytes tell the type \(told)")
        try require(
            ContentType.told(by: Array(bytes.prefix(ContentType.sniffedBytes)), declared: "application/x-declared") == told,
            "bytes behind the first ones tell the type"
        )
    }

    /// To the second, which is all that they write.
    private static func check(
        _ text: String,
        _ parse: (String) -> Date?,
        _ write: (Date) -> String
    ) throws(InvariantViolation) {
        guard let date = parse(text) else { return }
        let again = parse(write(date))
        try require(
            again.map { abs($0.timeIntervalSince(date)) < 1 } ?? false,
            "\(text.debugDescription) is written as \(write(date))"
        )
    }
}
