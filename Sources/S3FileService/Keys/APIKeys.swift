package import S3File

/// The keys of the app's own API. Any of them opens it, so that one can be replaced by another without a pause.
package struct APIKeys: Sendable {
    let keys: [APIKey]

    /// Reads `S3FILE_API_KEYS`: by comma, each as ``APIKey/init(_:place:)`` has it.
    ///
    /// - Parameter fields: those that are declared; a key may be bound to no other.
    /// - Throws: ``ConfigurationError`` that repeats no key.
    package init(setting: String?, fields: [UploadField]) throws(ConfigurationError) {
        let entries = (setting ?? "").split(separator: ",").map { $0.trimmingPrefix { $0.isWhitespace } }
            .map { text in text.lastIndex { !$0.isWhitespace }.map { text[...$0] } ?? "" }.filter { !$0.isEmpty }
        guard !entries.isEmpty else {
            throw ConfigurationError(
                "S3FILE_API_KEYS is not set, and without keys anybody on this machine could enqueue: set it to one of 32 bytes or more, as by openssl rand -base64 36"
            )
        }
        let declared = Set(fields.map(\.name))
        var keys: [APIKey] = []
        for (index, entry) in entries.enumerated() {
            let key = try APIKey(String(entry), place: index + 1)
            if let unknown = key.fields?.subtracting(declared).min() {
                throw ConfigurationError(
                    "S3FILE_API_KEYS: key \(index + 1) is for the field \"\(unknown)\", which is not declared: correct it, or declare the field"
                )
            }
            guard !keys.contains(where: { $0.digest == key.digest }) else {
                throw ConfigurationError("S3FILE_API_KEYS: key \(index + 1) is there twice: leave one of them out")
            }
            keys.append(key)
        }
        self.keys = keys
    }

    /// The key that a request brings; `nil` when it is none of ours.
    ///
    /// Takes as long for a wrong one as for a right one: hashes are compared, every one, and to their ends.
    func key(authorization: String?) -> Int? {
        guard let authorization else { return nil }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].utf8.count <= APIKey.maximumBytes else { return nil }
        let digest = APIKey.digest(of: parts[1])
        var found: Int?
        for (index, key) in self.keys.enumerated() {
            let difference = zip(key.digest, digest).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
            found = difference == 0 ? index : found
        }
        return found
    }
}
