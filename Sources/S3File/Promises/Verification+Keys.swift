import Foundation

/// The first step: what a form says must have been signed here, for this field and this subject, before S3 is asked about it.
extension Verification {
    /// Every key must be canonical, be named once, and lie directly in the folder of one of the posted tickets; or have a receipt that says
    /// that it did.
    ///
    /// - Returns: the field with its kept files among the others.
    func checked(_ posted: PostedField, subject: String?, now: Date) throws(UploadError) -> PostedField {
        var posted = posted
        let kept = try self.keptFiles(of: posted, subject: subject, now: now)
        try self.checkKeys(of: posted, subject: subject, now: now)
        posted.files = kept + posted.files
        var seen: Set<[UInt8]> = []
        for file in posted.files where !seen.insert(Array(file.key.utf8)).inserted {
            throw self.invalidKey(file, posted.field)
        }
        return posted
    }

    /// Of one field's inputs in a form. Each costs a signature to check.
    private static let mostTickets = 256

    private func checkKeys(of posted: PostedField, subject: String?, now: Date) throws(UploadError) {
        // An input that nobody touched says nothing, however old its ticket is.
        guard !posted.files.isEmpty else { return }
        var tickets: [Ticket] = []
        var signatures: [String] = []
        var refusal: UploadError?
        // One of each input of this name, touched or not; and of a page that was reloaded in the middle of an upload in parts also the one
        // of before, which may have ended.
        var read: Set<String> = []
        for token in posted.tickets.prefix(Self.mostTickets) where read.insert(token).inserted {
            if self.django != nil, !token.contains(".") {
                signatures.append(token)
                continue
            }
            do {
                tickets.append(try self.ticket(token, for: posted.field, subject: subject, now: now))
            } catch {
                refusal = refusal ?? error
            }
        }
        for file in posted.files {
            guard
                tickets.contains(where: { CanonicalKey.isValid(file.key, in: $0.folder) })
                    || signatures.contains(where: { self.isSignedByDjango(file.key, $0) })
            else {
                throw refusal ?? self.invalidKey(file, posted.field)
            }
        }
    }

    /// Whether a key lies directly in a folder of tmp objects that a Django app's input was drawn for.
    private func isSignedByDjango(_ key: String, _ signature: String) -> Bool {
        guard let django = self.django, let slash = key.lastIndex(of: "/") else { return false }
        let folder = String(key[..<slash])
        return folder.utf8.starts(with: (self.tmpPrefix + "/").utf8) && CanonicalKey.isValid(key, in: folder)
            && django.isValid(signature, of: folder)
    }

    private func keptFiles(of posted: PostedField, subject: String?, now: Date) throws(UploadError) -> [PostedField.File] {
        var files: [PostedField.File] = []
        for token in posted.kept {
            guard let receipt = KeptReceipt.read(token, keys: self.keys), receipt.isFor(posted.field),
                receipt.key.utf8.starts(with: (self.tmpPrefix + "/").utf8), CanonicalKey.isCanonical(receipt.key)
            else {
                throw UploadError(changedTicketOf: posted.field.name)
            }
            guard receipt.subject == Ticket.digest(ofSubject: subject) else {
                throw self.foreign(posted.field)
            }
            guard now < receipt.expiresAt else {
                throw UploadError(
                    .expiredTicket,
                    field: posted.field.name,
                    filename: receipt.filename,
                    message: "\"\(receipt.filename)\" was kept for too long. Choose it again and send the form."
                )
            }
            files.append(PostedField.File(key: receipt.key, filename: receipt.filename, size: receipt.size))
        }
        return files
    }

    private func ticket(_ token: String, for field: UploadField, subject: String?, now: Date) throws(UploadError) -> Ticket {
        let ticket: Ticket
        do {
            ticket = try Ticket.read(token, keys: self.keys, now: now)
        } catch .expired {
            throw UploadError(expiredTicketOf: field.name)
        } catch {
            throw UploadError(changedTicketOf: field.name)
        }
        guard ticket.field == field.name, ticket.uploadTo == field.uploadTo.ticketRule,
            ticket.accept == field.accept.map(\.description)
        else {
            throw UploadError(
                .invalidTicket,
                field: field.name,
                message: "This form belongs to another page or an older version. Reload the page and choose the file again."
            )
        }
        // Whoever can sign could name any folder: only that of tmp objects is one to take files from.
        guard ticket.folder.utf8.starts(with: (self.tmpPrefix + "/").utf8) else {
            throw UploadError(changedTicketOf: field.name)
        }
        guard ticket.subject == Ticket.digest(ofSubject: subject) else {
            throw self.foreign(field)
        }
        return ticket
    }

    private func foreign(_ field: UploadField) -> UploadError {
        UploadError(
            .invalidTicket,
            field: field.name,
            message: "This form was opened by another user or session. Reload the page and choose the file again."
        )
    }

    private func invalidKey(_ file: PostedField.File, _ field: UploadField) -> UploadError {
        UploadError(
            .invalidKey,
            field: field.name,
            filename: file.filename,
            message: "\"\(file.filename)\" was not uploaded with this form. Go back, reload the page and choose the file again."
        )
    }
}
