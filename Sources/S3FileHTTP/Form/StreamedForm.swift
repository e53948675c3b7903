import NIOCore
import S3File

/// A form as the handler gets it.
struct ReadForm: Sendable {
    var form: FormBody
    var body: ByteBuffer
    /// What was stored in the tmp prefix meanwhile.
    var stored: [StreamedObject] = []
}

/// Reads a multipart form that brings its files itself: browsers post it so where the page's script does not run.
///
/// A file goes to the tmp prefix as it comes, and in its place the form gets what the script would have posted: the field's marker and
/// ticket, the key, and the name. What is wrong with a file is known as early as can be, and the rest of the body is not read then.
struct StreamedForm {
    let uploads: Uploads
    let fields: [UploadField]
    let limits: FormBody.Limits
    let subject: String?
    /// Whether it may be another site's page that posts it.
    let isCrossSite: Bool
    let pace: Pace

    /// What was read so far.
    private struct Reading {
        var form = FormBody()
        /// Of which the handler's body is made.
        var parts: [(part: MultipartPart, value: String)] = []
        /// Of what is kept of the body.
        var bytes = 0
        /// By field, as soon as the form has a file input of it, be it empty.
        var folders: [String: TmpFolder] = [:]
        var fileCounts: [String: Int] = [:]
        var stored: [StreamedObject] = []
        var hasSlot = false
    }

    /// - Throws: ``UploadError``, ``FormBodyError``, ``Problem``, or what the body throws; nothing stays in the tmp prefix then.
    func read<Body: AsyncSequence & Sendable>(_ body: Body, boundary: MultipartBoundary) async throws -> ReadForm
    where Body.Element == ByteBuffer {
        var reading = Reading()
        do {
            // Given back before anything is removed, which may take its time.
            defer { if reading.hasSlot { self.uploads.streamSlots.giveBack() } }
            var reader = MultipartReader(
                body: body,
                boundary: boundary,
                limits: MultipartLimits(parts: self.limits.fields, fieldBytes: self.limits.bytes)
            )
            while let part = try await reader.nextPart() {
                if let filename = part.filename {
                    try await self.readFile(part, filename, &reader, &reading)
                } else {
                    let value = try await reader.collectText(upTo: self.limits.bytes)
                    try self.keep(part, value, &reading)
                    try reading.form.append(part.name, value, limits: self.limits)
                }
            }
            return self.form(reading, boundary: boundary)
        } catch {
            await self.uploads.discard(reading.stored)
            if let error = error as? MultipartError { throw FormBodyError(error) }
            throw error
        }
    }

    private func keep(_ part: MultipartPart, _ value: String, _ reading: inout Reading) throws {
        reading.bytes += part.name.utf8.count + (part.contentType?.utf8.count ?? 0) + value.utf8.count
        guard reading.bytes <= self.limits.bytes else { throw FormBodyError.tooLarge(limits: self.limits) }
        reading.parts.append((part, value))
    }

    private func readFile<Body: AsyncSequence>(
        _ part: MultipartPart,
        _ filename: String,
        _ reader: inout MultipartReader<Body>,
        _ reading: inout Reading
    ) async throws {
        var beginning = try await reader.nextBytes()
        let isEmptyInput = filename.isEmpty && beginning == nil
        guard let field = self.fields.first(where: { $0.name == part.name }) else {
            // An input of the app's own that nobody touched says nothing.
            guard isEmptyInput else { throw PostedField.unknown(field: part.name) }
            return try self.keep(part, "", &reading)
        }
        let folder = try reading.folders[field.name] ?? self.uploads.tmpFolder(for: field, subject: self.subject)
        reading.folders[field.name] = folder
        guard !isEmptyInput else { return }
        guard !self.isCrossSite else { throw Problem.crossSite(field: field.name, filename: filename) }
        try PostedField.check(filename: filename, field: field)
        let count = reading.fileCounts[field.name, default: 0] + 1
        guard count <= field.maximumCount else {
            throw UploadError(
                .tooManyFiles,
                field: field.name,
                filename: filename,
                message: "Too many files: at most \(field.maximumCount) can be sent. Choose fewer and send the form again."
            )
        }
        reading.fileCounts[field.name] = count
        if !reading.hasSlot {
            reading.hasSlot = self.uploads.streamSlots.take()
            guard reading.hasSlot else {
                throw UploadError(
                    .busy,
                    field: field.name,
                    filename: filename,
                    message: "Too many files are on their way just now. Send the form again in a moment."
                )
            }
            self.pace.takesPlace()
        }
        let key = try await self.uploads.receive(
            filename,
            declaredType: part.contentType,
            into: folder,
            next: {
                guard let bytes = beginning else { return try await reader.nextBytes() }
                beginning = nil
                return bytes
            },
            stored: &reading.stored
        )
        for (name, value) in [(field.name, key), (field.name + "-s3f-name", filename)] {
            try self.keep(MultipartPart(name: name), value, &reading)
            reading.form.fields.append((name, value))
        }
    }

    /// With the markers and tickets of the files that were in it, before everything else: a ticket counts only among the first.
    private func form(_ reading: Reading, boundary: MultipartBoundary) -> ReadForm {
        let marked = Set(reading.form.values(named: "s3file"))
        var ours: [(name: String, value: String)] = []
        for field in self.fields {
            guard let folder = reading.folders[field.name] else { continue }
            let isMarked = marked.contains(field.name)
            if !isMarked { ours.append(("s3file", field.name)) }
            // What the script has posted needs no other ticket.
            guard !isMarked || reading.fileCounts[field.name] != nil else { continue }
            ours.append((field.name + "-s3f-signature", folder.ticket))
        }
        var form = reading.form
        form.fields.insert(contentsOf: ours, at: 0)
        var writer = MultipartFormWriter(boundary: boundary)
        for (name, value) in ours { writer.add(MultipartPart(name: name), value) }
        for (part, value) in reading.parts { writer.add(part, value) }
        return ReadForm(form: form, body: writer.finished(), stored: reading.stored)
    }
}
