/// The name of a file in a bucket's folder of objects: `<SHA-256 of the key>` for the `null` version, with `.<version id>` for any
/// other, and `.tags` behind it for tags that were put after the object.
struct ObjectFileName: Hashable, Sendable {
    var keyHash: String
    var version: String?
    var isTags = false

    init(_ key: ObjectKey, version: String?, isTags: Bool = false) {
        self.keyHash = key.fileName
        self.version = version
        self.isTags = isTags
    }

    /// nil for a name that this server did not give.
    init?(_ name: String) {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count > 1, parts.last == "tags" {
            parts.removeLast()
            self.isTags = true
        }
        guard (1...2).contains(parts.count), parts[0].utf8.count == 64 else {
            return nil
        }
        self.keyHash = String(parts[0])
        if parts.count == 2 {
            guard ObjectVersion.isWellFormed(String(parts[1])) else {
                return nil
            }
            self.version = String(parts[1])
        }
    }

    var text: String {
        var text = self.keyHash
        if let version = self.version {
            text += ".\(version)"
        }
        return self.isTags ? text + ".tags" : text
    }

    /// Where it lies in the folder of objects.
    var path: String { "\(self.keyHash.prefix(2))/\(self.text)" }
}
