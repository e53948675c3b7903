package import Foundation
package import S3

/// The policy of a POST form, as the server reads it
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
package struct PostPolicyDocument: Sendable {
    private enum Condition: Sendable {
        case equals(field: String, value: String)
        case startsWith(field: String, prefix: String)

        /// In lower case: S3 compares names without case.
        var field: String {
            switch self {
            case .equals(let field, _), .startsWith(let field, _): field
            }
        }
    }

    package let expiration: Date
    /// The bounds that every `content-length-range` allows.
    package let contentLength: ClosedRange<Int64>
    private let conditions: [Condition]

    /// Fields that no condition needs to cover.
    private static let uncovered: Set<String> = ["policy", "x-amz-signature", "file", "awsaccesskeyid", "signature"]

    package init(base64 text: String) throws(S3Error) {
        guard let data = Data(base64Encoded: text) else {
            throw Self.invalid("Invalid Base64.")
        }
        let document: PolicyValue
        do {
            document = try JSONDecoder().decode(PolicyValue.self, from: data)
        } catch {
            throw Self.invalid("Invalid JSON.")
        }
        guard case .object(let members) = document, JSONMembers.areUnique(in: data) else {
            throw Self.invalid("Invalid JSON.")
        }
        guard let expiration = members["expiration"] else {
            throw Self.invalid("Policy missing expiration.")
        }
        guard let moment = expiration.text.flatMap({ Timestamp.parseISO8601($0) }) else {
            throw Self.invalid("Invalid 'expiration' value: '\(expiration.text ?? "")'")
        }
        guard case .list(let items) = members["conditions"] else {
            throw Self.invalid("Policy missing conditions.")
        }
        // What it would say is not known here, and a policy allows no more than it says.
        if let other = members.keys.sorted().first(where: { $0 != "expiration" && $0 != "conditions" }) {
            throw Self.invalid("Unexpected: '\(other)'")
        }
        self.expiration = moment
        var length: ClosedRange<Int64> = 0...Payload.maximumObjectSize
        var conditions: [Condition] = []
        for item in items {
            switch item {
            case .object(let members): conditions.append(try Self.simple(members))
            case .list(let words) where words.first?.text?.lowercased() == "content-length-range":
                length = try Self.intersection(of: length, Self.range(words))
            case .list(let words): conditions.append(try Self.comparison(words))
            default: throw Self.invalid("Invalid Condition: must be a simple condition or a list.")
            }
        }
        self.contentLength = length
        self.conditions = conditions
    }

    private static func invalid(_ what: String) -> S3Error {
        S3Error(.invalidPolicyDocument, status: 400, message: "Invalid Policy: \(what)")
    }

    /// `{"acl": "private"}`
    private static func simple(_ members: [String: PolicyValue]) throws(S3Error) -> Condition {
        guard let member = members.first, members.count == 1 else {
            throw self.invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        }
        guard let value = member.value.text else {
            throw self.invalid("Invalid Simple-Condition: value must be a string.")
        }
        return .equals(field: member.key.lowercased(), value: value)
    }

    /// `["starts-with", "$key", "user/"]`
    private static func comparison(_ words: [PolicyValue]) throws(S3Error) -> Condition {
        guard let operation = words.first?.text else {
            throw self.invalid("Invalid Condition: the operation must be a string.")
        }
        guard words.count == 3 else {
            throw self.invalid("Invalid \(operation): wrong number of arguments.")
        }
        guard let field = words[1].text, field.utf8.first == UInt8(ascii: "$"), field.utf8.count > 1 else {
            throw self.invalid("Invalid \(operation): the field must begin with '$'.")
        }
        guard let value = words[2].text else {
            throw self.invalid("Invalid \(operation): value must be a string.")
        }
        let name = field.dropFirst().lowercased()
        switch operation.lowercased() {
        case "eq": return .equals(field: name, value: value)
        case "starts-with": return .startsWith(field: name, prefix: value)
        default: throw self.invalid("Unknown condition operation '\(operation)'.")
        }
    }

    private static func range(_ words: [PolicyValue]) throws(S3Error) -> ClosedRange<Int64> {
        guard words.count == 3, let low = words[1].number, let high = words[2].number, low >= 0, low <= high else {
            throw self.invalid("Invalid content-length-range.")
        }
        return low...high
    }

    private static func intersection(
        of one: ClosedRange<Int64>,
        _ other: ClosedRange<Int64>
    ) throws(S3Error) -> ClosedRange<Int64> {
        let (low, high) = (max(one.lowerBound, other.lowerBound), min(one.upperBound, other.upperBound))
        guard low <= high else {
            throw self.invalid("No length satisfies every content-length-range.")
        }
        return low...high
    }

    // MARK: Check

    /// Checks expiry, every condition, and that no field is without one.
    ///
    /// - Parameter fields: lower-case names with their values, `bucket` and the expanded `key` among them.
    package func check(_ fields: [(name: String, value: String)], now: Date) throws(S3Error) {
        func denied(_ why: String) -> S3Error {
            S3Error(.accessDenied, status: 403, message: "Invalid according to Policy: \(why)")
        }
        guard now < self.expiration else {
            throw denied("Policy expired.")
        }
        for condition in self.conditions {
            let actual = fields.first { $0.name == condition.field }?.value
            switch condition {
            case .equals(let field, let value):
                guard let actual, actual.utf8.elementsEqual(value.utf8) else {
                    throw denied("Policy Condition failed: [\"eq\", \"$\(field)\", \"\(value)\"]")
                }
            case .startsWith(let field, let prefix):
                guard let actual, Self.items(of: actual, field: field).allSatisfy({ $0.utf8.starts(with: prefix.utf8) }) else {
                    throw denied("Policy Condition failed: [\"starts-with\", \"$\(field)\", \"\(prefix)\"]")
                }
            }
        }
        let covered = Set(self.conditions.map(\.field))
        let extra = fields.map(\.name).filter { name in
            name != "bucket" && !Self.uncovered.contains(name) && !name.hasPrefix("x-ignore-") && !covered.contains(name)
        }
        guard extra.isEmpty else {
            throw denied("Extra input fields: \(extra.joined(separator: ", "))")
        }
    }

    /// S3 reads a Content-Type under starts-with as a list, each item of which must begin so.
    private static func items(of value: String, field: String) -> [Substring] {
        guard field == "content-type" else {
            return [value[...]]
        }
        return value.split(separator: ",", omittingEmptySubsequences: false).map { $0.drop { $0 == " " } }
    }
}

/// JSON, as far as policies have it.
private enum PolicyValue: Decodable, Sendable {
    case text(String)
    case number(Int64)
    case list([PolicyValue])
    case object([String: PolicyValue])
    /// true, false, null and fractions, which no condition has.
    case other

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let number = try? container.decode(Int64.self) {
            self = .number(number)
        } else if let list = try? container.decode([PolicyValue].self) {
            self = .list(list)
        } else if let object = try? container.decode([String: PolicyValue].self) {
            self = .object(object)
        } else {
            self = .other
        }
    }

    var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// AWS takes the bounds of a range as numbers or in quotes.
    var number: Int64? {
        switch self {
        case .number(let number): number
        case .text(let text): ByteRange.number(text[...])
        default: nil
        }
    }
}
