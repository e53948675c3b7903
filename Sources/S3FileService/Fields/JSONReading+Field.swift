import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension JSONReading {
    private static let members = [
        "name", "uploadTo", "accept", "maximumSize", "maximumCount", "required", "options", "resumable", "storage",
    ]

    /// One field; `nil` when something of it is wrong. ``UploadField`` stops the program at what is out of bounds, so nothing may reach it.
    mutating func field(_ json: LocatedJSON, at path: String, tmpPrefix: String) -> UploadField? {
        let faultsBefore = self.faults.count
        guard let object = self.object(json, at: path, members: Self.members) else { return nil }
        let name = self.name(object)
        let uploadTo = self.uploadTo(object, field: name ?? "", tmpPrefix: tmpPrefix)
        let accept = self.accept(object)
        let resumable = self.resumable(object)
        let maximumSize = self.maximumSize(object, isResumable: object.members["resumable"] != nil)
        let maximumCount = self.integer(object, "maximumCount", in: 1...100) ?? 1
        let required = self.flag(object, "required") ?? false
        let options = self.options(object)
        let storage = self.storage(object)
        guard self.faults.count == faultsBefore, let name, let uploadTo, let maximumSize else { return nil }
        return UploadField(
            name,
            uploadTo: UploadTo(uploadTo),
            accept: accept,
            maximumSize: maximumSize,
            maximumCount: Int(maximumCount),
            required: required,
            storage: storage,
            options: options,
            resumable: resumable
        )
    }

    private mutating func name(_ object: Object) -> String? {
        guard let name = self.requiredText(object, "name", bytes: 1...64) else { return nil }
        guard name.wholeMatch(of: /[A-Za-z0-9_.\-\[\]]+/) != nil, name != "s3file" else {
            self.blame(object, "name", "\"\(name)\" cannot be a field's name; use 1 to 64 of a-z A-Z 0-9 _ - . [ ]")
            return nil
        }
        return name
    }

    private mutating func uploadTo(_ object: Object, field: String, tmpPrefix: String) -> String? {
        guard let pattern = self.requiredText(object, "uploadTo", bytes: 0...512) else { return nil }
        if let problem = UploadTo.problem(in: pattern) {
            self.blame(object, "uploadTo", problem)
            return nil
        }
        // As one file would find it.
        let example = UploadTo.Context(id: .version7(), field: field, owner: "x", filename: "x", date: Date())
        let folder = UploadTo(pattern).folder(for: example)
        let key = folder.isEmpty ? "x" : folder + "/x"
        guard CanonicalKey.isCanonical(key), key.utf8.count <= 512, !(key + "/").utf8.starts(with: (tmpPrefix + "/").utf8) else {
            self.blame(
                object,
                "uploadTo",
                "\"\(pattern)\" is no folder for files; write one such as reports/%Y/ without empty parts, . or .., and not below \(tmpPrefix)"
            )
            return nil
        }
        return pattern
    }

    private mutating func accept(_ object: Object) -> [AcceptedType] {
        var accepted: [AcceptedType] = []
        for (index, entry) in (self.list(object, "accept", count: 0...16) ?? []).enumerated() {
            let path = object.path(of: "accept[\(index)]")
            guard let text = self.text(entry, at: path, bytes: 1...127) else { continue }
            guard let type = AcceptedType(entry: text) else {
                self.blame(entry, path, "\"\(text)\" is neither a type nor an extension; write image/png, image/* or .pdf")
                continue
            }
            accepted.append(type)
        }
        return accepted
    }

    private mutating func maximumSize(_ object: Object, isResumable: Bool) -> ByteCount? {
        guard let json = object.members["maximumSize"] else {
            self.blame(object, "maximumSize", "it is missing: bytes, or a text such as \"20 MB\"")
            return nil
        }
        let largest = isResumable ? UploadField.largestObject : UploadField.largestPost
        guard let size = self.size(json, at: object.path(of: "maximumSize")) else { return nil }
        guard size.bytes > 0, size <= largest else {
            let remedy = isResumable ? "" : ", the most that S3 takes in one POST; add \"resumable\": \"whenNeeded\" for more"
            self.blame(json, object.path(of: "maximumSize"), "it must be 1 byte to \(largest)\(remedy)")
            return nil
        }
        return size
    }

    private mutating func size(_ json: LocatedJSON, at path: String) -> ByteCount? {
        if let bytes = json.integer { return ByteCount(bytes: bytes) }
        if case .text(let text) = json.value, let size = ByteCount(text) { return size }
        self.blame(json, path, "it is no size; write bytes, or a text such as \"512 kB\", \"20 MB\" or \"1.5 GB\"")
        return nil
    }

    private mutating func options(_ object: Object) -> UploadField.Options {
        var options: UploadField.Options = []
        for (index, entry) in (self.list(object, "options", count: 0...2) ?? []).enumerated() {
            switch entry.value {
            case .text("immediate"): options.insert(.immediate)
            case .text("dropZone"): options.insert(.dropZone)
            default: self.blame(entry, object.path(of: "options[\(index)]"), "it is no option; write immediate or dropZone")
            }
        }
        return options
    }

    private mutating func resumable(_ object: Object) -> UploadField.Resumable? {
        guard let json = object.members["resumable"] else { return nil }
        if case .text("whenNeeded") = json.value { return .whenNeeded }
        let path = object.path(of: "resumable")
        guard case .object = json.value else {
            self.blame(json, path, "it must be \"whenNeeded\", or an object such as {\"above\": \"100 MB\"}")
            return nil
        }
        guard let inner = self.object(json, at: path, members: ["above"]) else { return nil }
        guard let above = inner.members["above"] else {
            self.blame(inner, "above", "it is missing: the size above which files go in parts")
            return nil
        }
        guard let size = self.size(above, at: inner.path(of: "above")) else { return nil }
        guard (0...UploadField.largestPost.bytes).contains(size.bytes) else {
            self.blame(inner, "above", "it must be 0 to \(UploadField.largestPost)")
            return nil
        }
        return .above(size)
    }
}

extension ByteCount {
    /// As ``description`` writes it, also with up to three decimals: `20 MB`, `1.5 GB`. Units are powers of 1,000.
    init?(_ text: String) {
        guard let match = text.wholeMatch(of: /([0-9]{1,6})(?:\.([0-9]{1,3}))? ?(bytes|kB|MB|GB|TB)/) else { return nil }
        let units: [Substring: Int64] = ["bytes": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000]
        guard let unit = units[match.output.3], let whole = Int64(match.output.1) else { return nil }
        let decimals = match.output.2.map { $0 + String(repeating: "0", count: 3 - $0.count) } ?? "0"
        guard let thousandths = Int64(decimals), unit > 1 || thousandths == 0 else { return nil }
        self.init(bytes: whole * unit + thousandths * (unit / 1_000))
    }
}
