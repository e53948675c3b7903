import S3File
import S3FileHTTP

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What several requests say alike.
extension JSONReading {
    /// As the record keeps it: `s3file.owner_name`.
    static let subjectBytes = 1...255

    /// The user or session that a form was drawn for. To let anybody bring it is to be said, by null.
    mutating func subject(_ object: Object) -> String? {
        guard let json = object.members["subject"] else {
            self.blame(object, "subject", "it is missing: the user or session that the form is for, or null for anybody")
            return nil
        }
        if case .null = json.value { return nil }
        return self.owner(object, "subject")
    }

    mutating func owner(_ object: Object, _ name: String) -> String? {
        guard let text = self.text(object, name, bytes: Self.subjectBytes) else { return nil }
        guard Self.isOwner(text) else {
            self.blame(object, name, "it may have no control characters")
            return nil
        }
        return text
    }

    static func isOwner(_ text: String) -> Bool {
        Self.subjectBytes.contains(text.utf8.count)
            && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    /// Ids of uploads, each once.
    mutating func ids(_ object: Object, _ name: String, most: Int) -> [UUID] {
        guard object.members[name] != nil else {
            self.blame(object, name, "it is missing: the ids of the uploads")
            return []
        }
        var ids: [UUID] = []
        var seen: Set<UUID> = []
        for (index, entry) in (self.list(object, name, count: 1...most) ?? []).enumerated() {
            guard case .text(let text) = entry.value, let id = UUID(canonical: text) else {
                self.blame(
                    entry,
                    object.path(of: "\(name)[\(index)]"),
                    "it is no upload's id, which looks like 0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60"
                )
                continue
            }
            if seen.insert(id).inserted { ids.append(id) }
        }
        return ids
    }

    /// A form as it was posted: its URL encoded body as one text, or its names and values as pairs, in their order.
    mutating func form(_ object: Object) -> PostedForm? {
        guard let json = object.members["form"] else {
            self.blame(
                object,
                "form",
                "it is missing: the posted form's body as it came, or its names and values as [[name, value], …]"
            )
            return nil
        }
        switch json.value {
        case .text(let body): return PostedForm(urlEncoded: body)
        case .list(let entries):
            guard entries.count <= PostedForm.mostPairs else {
                self.blame(json, "form", "it may have \(PostedForm.mostPairs) names and values, and has \(entries.count)")
                return nil
            }
            var pairs: [(name: String, value: String)] = []
            for (index, entry) in entries.enumerated() {
                guard case .list(let pair) = entry.value, pair.count == 2, case .text(let name) = pair[0].value,
                    case .text(let value) = pair[1].value
                else {
                    self.blame(entry, "form[\(index)]", "it must be a name and a value: [\"s3file\", \"report\"]")
                    continue
                }
                pairs.append((name, value))
            }
            return PostedForm(pairs)
        default:
            self.blame(json, "form", "it must be a text or a list of names and values, and is \(json.kind)")
            return nil
        }
    }
}
