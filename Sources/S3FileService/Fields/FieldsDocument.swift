package import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The fields of an app that is not written in Swift, declared in a JSON file:
///
///     {"fields": [{"name": "report", "uploadTo": "reports/%Y/%m/", "accept": ["application/pdf"], "maximumSize": "2 GB"}]}
///
/// Each has the members of ``UploadField``: `name`, `uploadTo`, `accept`, `maximumSize` (bytes, or a text such as `"20 MB"`), `maximumCount`,
/// `required`, `options` (`immediate`, `dropZone`), `resumable` (`"whenNeeded"`, or `{"above": "100 MB"}`) and `storage`, whose members are
/// those of `s3file.store_as()`. Nothing else is let through: a word that nobody reads is a limit that nobody keeps.
package struct FieldsDocument: Sendable {
    /// Bytes of a file.
    static let largestFile = 1_048_576
    static let mostFields = 1_000

    package let fields: [UploadField]

    /// - Parameters:
    ///   - bytes: the file's content.
    ///   - file: its name, for errors.
    ///   - tmpPrefix: where no file may be stored.
    /// - Throws: ``ConfigurationError`` with a line for each thing that is wrong: `fields.json:3:20: fields[0].maximumSize: …`.
    package init(_ bytes: some Collection<UInt8>, file: String, tmpPrefix: String) throws(ConfigurationError) {
        guard bytes.count <= Self.largestFile else {
            throw ConfigurationError(
                "\(file) is larger than \(ByteCount(bytes: Int64(Self.largestFile))), which no list of fields is"
            )
        }
        do {
            let json = try LocatedJSON(parsing: bytes)
            self.fields = try Self.fields(json, tmpPrefix: tmpPrefix)
        } catch let fault as JSONFault {
            throw ConfigurationError(fault.line(of: file))
        } catch let faults as JSONFaults {
            throw ConfigurationError(faults.all.map { $0.line(of: file) }.joined(separator: "\n"))
        } catch {
            throw ConfigurationError("\(file): \(error)")
        }
    }

    private static func fields(_ json: LocatedJSON, tmpPrefix: String) throws -> [UploadField] {
        var reading = JSONReading()
        var fields: [UploadField] = []
        if let document = reading.object(json, at: "", members: ["fields"]) {
            let entries = reading.list(document, "fields", count: 1...Self.mostFields)
            if document.members["fields"] == nil { reading.blame(document, "fields", "it is missing: a list of the fields") }
            var places: [String: LocatedJSON.Place] = [:]
            for (index, entry) in (entries ?? []).enumerated() {
                guard let field = reading.field(entry, at: "fields[\(index)]", tmpPrefix: tmpPrefix) else { continue }
                if let other = places[field.name] {
                    reading.blame(entry, "fields[\(index)].name", "\"\(field.name)\" is declared on line \(other.line) as well")
                }
                places[field.name] = entry.place
                fields.append(field)
            }
        }
        try reading.finish()
        return fields
    }
}
