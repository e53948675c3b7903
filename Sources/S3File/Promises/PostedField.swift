/// What a form post says of one declared field: contract names `s3file`, `<N>-s3f-signature`, `<N>` and `<N>-s3f-name`, and
/// `<N>-s3f-kept` for files that an earlier post brought.
package struct PostedField: Sendable {
    package struct File: Sendable {
        package var key: String
        package var filename: String
        /// What it had when it was verified before; `nil` for one that never was.
        package var size: Int64?
    }

    package var field: UploadField
    package var tickets: [String]
    package var files: [File]
    /// Receipts, as posted.
    package var kept: [String]

    /// A person's name for a file is data; this only keeps it printable and storable.
    static let maximumFilenameBytes = 1_024

    /// Picks the posted fields out of a form. Undeclared names in `s3file` are refused, not skipped.
    ///
    /// - Throws: ``UploadError`` that tells of every field with something wrong.
    package static func read(_ form: FormBody, fields: [UploadField]) throws(UploadError) -> [PostedField] {
        let declared = Set(fields.map(\.name))
        let present = Set(form.values(named: "s3file"))
        if let name = form.values(named: "s3file").first(where: { !declared.contains($0) }) {
            throw Self.unknown(field: name)
        }
        var posted: [PostedField] = []
        var errors: [UploadError] = []
        for field in fields {
            do throws(UploadError) {
                if let entry = try Self.read(form, field: field, isPresent: present.contains(field.name)) {
                    posted.append(entry)
                }
            } catch {
                errors.append(error)
            }
        }
        if let error = UploadError(all: errors) { throw error }
        return posted
    }

    private static func read(_ form: FormBody, field: UploadField, isPresent: Bool) throws(UploadError) -> PostedField? {
        let kept = form.values(named: field.name + "-s3f-kept")
        // Without the script no input says that it is there, but a ticked checkbox does.
        guard isPresent || !kept.isEmpty else {
            if field.required { throw Self.missing(field) }
            return nil
        }
        let keys = isPresent ? form.values(named: field.name) : []
        let count = keys.count + kept.count
        if count == 0 && field.required { throw Self.missing(field) }
        guard count <= field.maximumCount else {
            throw UploadError(
                .tooManyFiles,
                field: field.name,
                message:
                    "Too many files: \(count) were chosen, and at most \(field.maximumCount) can be sent. Remove some and send the form again."
            )
        }
        let names = form.values(named: field.name + "-s3f-name")
        guard names.isEmpty || names.count == keys.count else {
            throw UploadError(
                .malformedForm,
                field: field.name,
                message:
                    "The form names \(names.count) files and brings \(keys.count). Go back, reload the page and send it again."
            )
        }
        var files: [File] = []
        for (index, key) in keys.enumerated() {
            let filename = names.isEmpty ? Self.lastPart(of: key) : names[index]
            try Self.check(filename: filename, field: field)
            files.append(File(key: key, filename: filename))
        }
        return PostedField(field: field, tickets: form.values(named: field.name + "-s3f-signature"), files: files, kept: kept)
    }

    /// A file field that the form's route does not declare.
    package static func unknown(field name: String) -> UploadError {
        UploadError(
            .unknownField,
            field: String(name.prefix(64)),
            message:
                "This form has a file field that the page it was sent to does not know. Go back, reload the page and send it again."
        )
    }

    private static func missing(_ field: UploadField) -> UploadError {
        UploadError(.required, field: field.name, message: "A file is needed here. Choose one and send the form again.")
    }

    private static func lastPart(of key: String) -> String {
        key.split(separator: "/").last.map(String.init) ?? ""
    }

    package static func check(filename: String, field: UploadField) throws(UploadError) {
        guard (1...Self.maximumFilenameBytes).contains(filename.utf8.count),
            !filename.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw UploadError(
                .malformedForm,
                field: field.name,
                message:
                    "A file's name is empty, longer than \(Self.maximumFilenameBytes) bytes, or has control characters. Rename the file and choose it again."
            )
        }
    }
}
