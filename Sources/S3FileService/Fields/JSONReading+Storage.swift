import S3File

extension JSONReading {
    private static let settings = [
        "cacheControl", "contentDisposition", "storageClass", "encryption", "kmsKeyId", "acl", "metadata", "tags",
    ]

    /// How a field's files are stored: the names of `s3file.store_as()`.
    mutating func storage(_ field: Object) -> StorageSettings {
        guard let json = field.members["storage"] else { return StorageSettings() }
        guard let object = self.object(json, at: field.path(of: "storage"), members: Self.settings) else {
            return StorageSettings()
        }
        var storage = StorageSettings(
            cacheControl: self.header(object, "cacheControl"),
            contentDisposition: self.header(object, "contentDisposition"),
            storageClass: self.header(object, "storageClass"),
            acl: self.header(object, "acl"),
            metadata: self.metadata(object),
            tags: self.tags(object)
        )
        let keyID = self.header(object, "kmsKeyId")
        switch self.text(object, "encryption", bytes: 1...16) {
        case "AES256": storage.encryption = .s3
        case "aws:kms": storage.encryption = .kms(keyID: keyID)
        case nil: break
        case .some: self.blame(object, "encryption", "it must be AES256 or aws:kms")
        }
        if keyID != nil, storage.encryption != .kms(keyID: keyID) {
            self.blame(object, "kmsKeyId", "it says nothing without \"encryption\": \"aws:kms\"")
        }
        return storage
    }

    /// A header's value: printable ASCII.
    private mutating func header(_ object: Object, _ name: String) -> String? {
        guard let text = self.text(object, name, bytes: 1...1_024) else { return nil }
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            self.blame(object, name, "it must be printable ASCII, as headers are")
            return nil
        }
        return text
    }

    private mutating func metadata(_ object: Object) -> [String: String] {
        let metadata = self.texts(object, "metadata", count: 32, bytes: 0...1_024) ?? [:]
        for (name, value) in metadata {
            guard name.wholeMatch(of: /[a-z0-9\-]{1,64}/) != nil, !name.hasPrefix("s3file-") else {
                self.blame(
                    object,
                    "metadata",
                    "\"\(JSONParser.shortened(name))\" is no name for it; use a-z 0-9 -, and do not begin with s3file-"
                )
                continue
            }
            guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                self.blame(object, "metadata", "the value of \(name) must be printable ASCII, as headers are")
                continue
            }
        }
        return metadata
    }

    private mutating func tags(_ object: Object) -> [String: String] {
        let tags = self.texts(object, "tags", count: 10, bytes: 0...1_024) ?? [:]
        for (name, value) in tags where !Self.isTag(name, 1...128) || !Self.isTag(value, 0...256) {
            self.blame(
                object,
                "tags",
                "\"\(JSONParser.shortened(name))\" cannot be a tag: 1 to 128 letters, digits, spaces and + - = . _ : / @, and up to 256 as value"
            )
        }
        return tags
    }

    /// As `s3file.storage` has it.
    private static func isTag(_ text: String, _ count: ClosedRange<Int>) -> Bool {
        count.contains(text.unicodeScalars.count)
            && text.unicodeScalars.allSatisfy { scalar in
                !scalar.isASCII || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                    || " +=._:/@-".unicodeScalars.contains(scalar)
            }
    }
}
