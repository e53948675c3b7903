import Foundation

/// The one way in which commands write JSON: keys in order, moments as RFC 3339 in UTC with milliseconds, ids in lower case.
enum JSON {
    static func encode(_ document: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        }
        return try encoder.encode(document)
    }
}

extension Date {
    /// For people: RFC 3339 without fractions of a second.
    var text: String { self.formatted(.iso8601) }
}
