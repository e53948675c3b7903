import Foundation
import S3FileService

extension FuzzedReader {
    /// What is read is JSON to others, too, within the limits; each value is read again from where it says it stands.
    static func checkJSON(_ bytes: [UInt8]) throws(InvariantViolation) {
        var limits = LocatedJSON.Limits()
        limits.depth = 8
        limits.values = 60
        let document: LocatedJSON
        do {
            document = try LocatedJSON(parsing: bytes, limits: limits)
        } catch {
            try require(error.place.line >= 1 && error.place.column >= 1, "a fault at \(error.place)")
            try require(!error.message.isEmpty && error.sentence.utf8.count < 1_000, "a fault is told as \(error.sentence)")
            return
        }
        let others = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
        try require(others != nil, "it was read, and is no JSON to Foundation")
        var left = limits.values
        try Self.walk(document, depth: 1, limits, &left)
    }

    private static func walk(
        _ json: LocatedJSON,
        depth: Int,
        _ limits: LocatedJSON.Limits,
        _ left: inout Int
    ) throws(InvariantViolation) {
        left -= 1
        try require(left >= 0 && depth <= limits.depth + 1, "more was read than the limits allow")
        let again = try? LocatedJSON(parsing: json.source, limits: limits)
        try require(again.map { Self.isSame($0, json) } ?? false, "at \(json.place) stands something else than was read")
        switch json.value {
        case .null, .bool: break
        case .number(let spelled):
            try require(Double(spelled)?.isFinite == true, "a number is \(spelled)")
        case .text(let text):
            try require(!text.utf8.contains(0), "a text holds U+0000")
        case .list(let values):
            for value in values { try Self.walk(value, depth: depth + 1, limits, &left) }
        case .object(let members):
            try require(Set(members.map { Array($0.name.utf8) }).count == members.count, "a member is named twice")
            for member in members { try Self.walk(member.value, depth: depth + 1, limits, &left) }
        }
    }

    private static func isSame(_ one: LocatedJSON, _ other: LocatedJSON) -> Bool {
        switch (one.value, other.value) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.number(let one), .number(let other)): one == other
        case (.text(let one), .text(let other)): one.utf8.elementsEqual(other.utf8)
        case (.list(let one), .list(let other)):
            one.count == other.count && zip(one, other).allSatisfy { Self.isSame($0, $1) }
        case (.object(let one), .object(let other)):
            one.count == other.count
                && zip(one, other).allSatisfy { $0.name.utf8.elementsEqual($1.name.utf8) && Self.isSame($0.value, $1.value) }
        default: false
        }
    }
}
