import S3

/// A tag of an object. Up to ten of them are on one
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
struct ObjectTag: Codable, Hashable, Sendable {
    var key: String
    var value: String
}

enum ObjectTags {
    static let maximumCount = 10

    /// Tags as a header has them: `one=eins&two=zwei`.
    static func parse(query: String) throws(S3Error) -> [ObjectTag] {
        guard let items = URIEncoding.parseQuery(query) else {
            throw .invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters.")
        }
        return try self.validated(items.map { ObjectTag(key: $0.name, value: $0.value) })
    }

    /// Tags as PutObjectTagging and the form field `tagging` have them.
    static func parse(_ document: XMLElement) throws(S3Error) -> [ObjectTag] {
        guard document.name == "Tagging", let set = document["TagSet"] else {
            throw .malformedXML
        }
        var tags: [ObjectTag] = []
        for element in set.all("Tag") {
            guard let key = element["Key"]?.text, let value = element["Value"]?.text else {
                throw .malformedXML
            }
            tags.append(ObjectTag(key: key, value: value))
        }
        return try self.validated(tags)
    }

    private static func validated(_ tags: [ObjectTag]) throws(S3Error) -> [ObjectTag] {
        func invalid(_ message: String) -> S3Error {
            S3Error(S3Error.Code("InvalidTag"), status: 400, message: message)
        }
        guard tags.count <= self.maximumCount else {
            throw S3Error(S3Error.Code("BadRequest"), status: 400, message: "Object tags cannot be greater than 10")
        }
        for (index, tag) in tags.enumerated() {
            guard (1...128).contains(tag.key.utf16.count), self.isAllowed(tag.key) else {
                throw invalid("The TagKey you have provided is invalid")
            }
            guard tag.value.utf16.count <= 256, self.isAllowed(tag.value) else {
                throw invalid("The TagValue you have provided is invalid")
            }
            guard !tag.key.lowercased().hasPrefix("aws:") else {
                throw invalid("System tags cannot be added/updated by requester")
            }
            guard !tags[..<index].contains(where: { $0.key.utf8.elementsEqual(tag.key.utf8) }) else {
                throw invalid("Cannot provide multiple Tags with the same key")
            }
        }
        return tags
    }

    /// Letters, spaces and numbers of any script, and `+ - = . _ : / @`.
    private static func isAllowed(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .letterNumber, .otherNumber, .spaceSeparator, .nonspacingMark, .spacingMark:
                true
            default:
                "+-=._:/@".unicodeScalars.contains(scalar)
            }
        }
    }
}
