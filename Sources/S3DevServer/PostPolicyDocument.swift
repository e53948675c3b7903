package import Foundation
package import S3

/// The policy of a POST form, as the server reads it
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
package struct PostPolicyDocument: Sendable {
    private enum Condition: Sendable {
        case equals(field: String, value: String)
        case startsWith(field: String, prefix: String)
    }

    private enum Value: Decodable {
        case text(String)
        case number(Int64)
        case list([Value])
        case object([String: Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let number = try? container.decode(Int64.self) {
                self = .number(number)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else {
                self = .object(try container.decode([String: Value].self))
            }
        }

        var text: String? {
            if case .text(let text) = self { text } else { nil }
        }

        /// AWS takes the bounds of a range as numbers or in quotes.
        var number: Int64? {
            switch self {
            case .number(let number): number
            case .text(let text): Int64(text)
            default: nil
            }
        }
    }

    private struct Document: Decodable {
        var expiration: String
        var conditions: [Value]
    }

    package let expiration: Date
    /// The bounds that every `content-length-range` allows.
    package private(set) var contentLength: ClosedRange<Int64>
    private var conditions: [Condition] = []

    /// Fields that no condition needs to cover.
    private static let uncovered: Set<String> = ["policy", "x-amz-signature", "file", "awsaccesskeyid", "signature"]

    package init(base64 text: String) throws(S3Error) {
        func invalid(_ what: String) -> S3Error {
            S3Error(.invalidPolicyDocument, status: 400, message: "Invalid Policy: \(what)")
        }
        guard let data = Data(base64Encoded: text) else {
            throw invalid("Invalid Base64.")
        }
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: data)
        } catch {
            throw invalid("Invalid JSON.")
        }
        guard let expiration = Timestamp.parseISO8601(document.expiration) else {
            throw invalid("Invalid 'expiration' value: '\(document.expiration)'")
        }
        self.expiration = expiration
        var lower: Int64 = 0
        var upper = Payload.maximumObjectSize
        for condition in document.conditions {
            switch condition {
            case .object(let members):
                guard let member = members.first, members.count == 1, let value = member.value.text else {
                    throw invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
                }
                self.conditions.append(.equals(field: member.key.lowercased(), value: value))
            case .list(let items):
                guard items.count == 3, let operation = items[0].text?.lowercased() else {
                    throw invalid("Invalid Condition.")
                }
                if operation == "content-length-range" {
                    guard let low = items[1].number, let high = items[2].number, low >= 0, low <= high else {
                        throw invalid("Invalid content-length-range.")
                    }
                    lower = max(lower, low)
                    upper = min(upper, high)
                    continue
                }
                guard let field = items[1].text, field.hasPrefix("$"), let value = items[2].text else {
                    throw invalid("Invalid Condition.")
                }
                let name = field.dropFirst().lowercased()
                switch operation {
                case "eq": self.conditions.append(.equals(field: name, value: value))
                case "starts-with": self.conditions.append(.startsWith(field: name, prefix: value))
                default: throw invalid("Unknown condition '\(operation)'.")
                }
            default:
                throw invalid("Invalid Condition.")
            }
        }
        guard lower <= upper else {
            throw invalid("No length satisfies every content-length-range.")
        }
        self.contentLength = lower...upper
    }

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
            switch condition {
            case .equals(let field, let value):
                guard let actual = fields.first(where: { $0.name == field })?.value, actual.utf8.elementsEqual(value.utf8) else {
                    throw denied("Policy Condition failed: [\"eq\", \"$\(field)\", \"\(value)\"]")
                }
            case .startsWith(let field, let prefix):
                guard let actual = fields.first(where: { $0.name == field })?.value,
                    Self.items(of: actual, field: field).allSatisfy({ $0.utf8.starts(with: prefix.utf8) })
                else {
                    throw denied("Policy Condition failed: [\"starts-with\", \"$\(field)\", \"\(prefix)\"]")
                }
            }
        }
        let covered = Set(
            self.conditions.map { condition in
                switch condition {
                case .equals(let field, _), .startsWith(let field, _): field
                }
            }
        )
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
