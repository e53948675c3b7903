/// `If-None-Match` as RFC 9110 section 13.1.2 compares it: a list, weakly, with `*` for any.
enum EntityTag {
    static func matches(_ tag: String, _ ifNoneMatch: [String]) -> Bool {
        let opaque = Self.opaque(tag[...])
        return ifNoneMatch.flatMap { $0.split(separator: ",") }.contains { candidate in
            let candidate = candidate.drop { $0 == " " }.prefix { $0 != " " }
            return candidate == "*" || Self.opaque(candidate) == opaque
        }
    }

    private static func opaque(_ tag: Substring) -> Substring {
        tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
    }
}
