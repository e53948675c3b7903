package import Foundation
import S3

/// What lets a browser post files to S3 for a while, and bring their keys back.
package struct SignedForm: Sendable {
    /// The bucket's endpoint.
    package var url: String
    /// The presigned form fields, in order; `key` ends in `${filename}`.
    package var fields: [(name: String, value: String)]
    /// When S3 refuses it.
    package var expiresAt: Date
    /// The signed ticket.
    package var ticket: String
    package var ticketExpiresAt: Date
}

extension Uploads {
    /// For how long after its end a ticket can be exchanged for a new one by its subject.
    static let renewal: TimeInterval = 7 * 86_400

    /// Draws an input: a presigned POST policy and a ticket, for a folder of its own. No database is asked.
    ///
    /// - Parameters:
    ///   - field: the declared field.
    ///   - subject: the user or session that may bring the form back; `nil` for anybody.
    ///   - kept: what an earlier post of the form brought and its handler refused for another reason: the files need not be uploaded again.
    /// - Throws: ``ConfigurationError``, or what getting S3 credentials throws.
    public func input(
        _ field: UploadField,
        subject: String?,
        keeping kept: [UploadPromise] = []
    ) async throws -> UploadInput {
        let now = Date()
        let ticket = self.newTicket(for: field, subject: subject, now: now)
        let form = try await self.form(
            for: ticket,
            token: try ticket.signed(with: self.keys),
            life: self.configuration.policyLifetime,
            now: now
        )
        return UploadInput(
            field: field,
            url: form.url,
            fields: form.fields,
            expiresAt: form.expiresAt,
            ticket: form.ticket,
            ticketExpiresAt: form.ticketExpiresAt,
            kept: try kept.filter { $0.field == field.name }.map { promise in
                KeptFile(
                    filename: promise.filename,
                    size: ByteCount(bytes: promise.size),
                    receipt: try KeptReceipt(
                        field: field,
                        key: promise.tmpKey,
                        filename: promise.filename,
                        size: promise.size,
                        subject: ticket.subject,
                        expiresAt: min(ticket.expiresAt, self.safeEnd(of: promise))
                    ).signed(with: self.keys)
                )
            },
            resumeScope: ticket.resumeScope,
            paths: self.paths
        )
    }

    /// Draws an input for a form that a Django app with django-s3file 7 takes: it carries the signature that its middleware knows, in place
    /// of a ticket, and so no policy can be had for it once its own has run out.
    ///
    /// Our own middleware takes it as well. What it binds: ``S3FileConfiguration/djangoSecret``.
    ///
    /// - Throws: ``ConfigurationError`` when Django's secret is not set, or what getting S3 credentials throws.
    public func djangoInput(_ field: UploadField) async throws -> UploadInput {
        guard let secret = self.configuration.djangoSecret else {
            throw ConfigurationError(
                "S3FILE_DJANGO_SECRET is not set: set it to the SECRET_KEY of the Django app that takes the form"
            )
        }
        let now = Date()
        let ticket = self.newTicket(for: field, subject: nil, now: now)
        let signature = DjangoSignature(secret: secret).signature(of: ticket.folder)
        let form = try await self.form(for: ticket, token: signature, life: self.configuration.ticketLifetime, now: now)
        return UploadInput(
            field: field,
            url: form.url,
            fields: form.fields,
            expiresAt: form.expiresAt,
            ticket: form.ticket,
            ticketExpiresAt: form.ticketExpiresAt,
            kept: [],
            resumeScope: ticket.resumeScope,
            paths: nil
        )
    }

    /// A fresh policy for the folder of a ticket that lives. One that ended up to seven days ago is exchanged, for its subject, for a ticket
    /// of a new folder: what lies in the old one grows too old for the sweep, so no ticket is ever extended, and what was uploaded under
    /// the old one has to be uploaded again.
    ///
    /// - Parameter subject: the user or session that asks; `nil` when the app does not say.
    /// - Throws: ``UploadError``.
    package func renewedForm(ticket token: String, subject: String?, now: Date = Date()) async throws(UploadError) -> SignedForm {
        var (ticket, token) = (try self.ticket(token, endedAfter: now.addingTimeInterval(-Self.renewal)), token)
        if let subject {
            guard ticket.subject == Ticket.digest(ofSubject: subject) || ticket.subject.isEmpty else {
                throw UploadError(
                    .invalidTicket,
                    field: ticket.field,
                    message: "This form was opened by another user or session. Reload the page and choose the file again."
                )
            }
        }
        do {
            if now >= ticket.expiresAt {
                guard subject != nil, !ticket.subject.isEmpty else {
                    throw UploadError(expiredTicketOf: ticket.field)
                }
                ticket.folder = self.newFolder()
                (ticket.issuedAt, ticket.expiresAt) = (now, self.ticketEnd(from: now))
                token = try ticket.signed(with: self.keys)
            }
            return try await self.form(for: ticket, token: token, life: self.configuration.policyLifetime, now: now)
        } catch let error as UploadError {
            throw error
        } catch {
            throw UploadError(
                .storageUnavailable,
                field: ticket.field,
                message: "The upload could not be prepared just now. Try again in a moment.",
                underlying: error
            )
        }
    }

    /// A ticket that was signed here for a folder of tmp objects and did not end before a moment.
    func ticket(_ token: String, endedAfter moment: Date) throws(UploadError) -> Ticket {
        let ticket: Ticket
        do {
            ticket = try Ticket.read(token, keys: self.keys, now: moment)
        } catch .expired {
            throw UploadError(expiredTicketOf: nil)
        } catch {
            throw UploadError(changedTicketOf: nil)
        }
        // Whoever can sign could name any folder: only that of tmp objects is one to put files into.
        guard ticket.folder.utf8.starts(with: (self.configuration.tmpPrefix + "/").utf8) else {
            throw UploadError(changedTicketOf: nil)
        }
        return ticket
    }

    func newTicket(for field: UploadField, subject: String?, now: Date) -> Ticket {
        Ticket(
            folder: self.newFolder(),
            field: field.name,
            uploadTo: field.uploadTo.ticketRule,
            accept: field.accept.map(\.description),
            maximumSize: field.maximumSize.bytes,
            maximumCount: field.maximumCount,
            subject: Ticket.digest(ofSubject: subject),
            issuedAt: now,
            expiresAt: self.ticketEnd(from: now)
        )
    }

    /// An hour before the sweep takes a file, by the store's own word for its age: however often it is kept, that does not move. A file that
    /// has been moved to its place has no such end: its record finds it.
    private func safeEnd(of promise: UploadPromise) -> Date {
        guard let modified = promise.tmpModifiedAt else { return .distantFuture }
        return modified.addingTimeInterval(TimeInterval((self.configuration.expiry - .seconds(3600)).components.seconds))
    }

    private func newFolder() -> String {
        self.configuration.tmpPrefix + "/" + Base64URL.random()
    }

    private func ticketEnd(from now: Date) -> Date {
        now.addingTimeInterval(TimeInterval(self.configuration.ticketLifetime.components.seconds))
    }

    /// Signs the policy that a ticket allows.
    private func form(for ticket: Ticket, token: String, life: Duration, now: Date) async throws -> SignedForm {
        var end = min(ticket.expiresAt, now.addingTimeInterval(TimeInterval(life.components.seconds)))
        if let credentials = try await self.storage.credentialsExpiration() { end = min(end, credentials) }
        let policy = PostPolicy(
            bucket: self.configuration.tmpBucket,
            key: .startsWith(ticket.folder + "/"),
            contentType: ticket.contentTypeRule,
            contentLength: 0...min(ticket.maximumSize, UploadField.largestPost.bytes),
            expiration: end
        )
        let post = try await self.storage.presignedPost(policy, now: now)
        // The key is a template for the browser to fill in; the policy admits what begins with the folder.
        let fields = [(name: "key", value: ticket.folder + "/${filename}")] + post.fields.filter { $0.name != "key" }
        return SignedForm(url: post.url, fields: fields, expiresAt: end, ticket: token, ticketExpiresAt: ticket.expiresAt)
    }

    /// The origin that browsers send bytes to, for a page's `connect-src`.
    ///
    /// - Throws: an error when the endpoint's URL cannot be used.
    public func uploadOrigin() throws -> String {
        try self.storage.publicOrigin(bucket: self.configuration.tmpBucket)
    }

    /// The origin that stored files are read from, for a page's `img-src`: `<s3file-status>` shows small pictures.
    ///
    /// - Throws: an error when the endpoint's URL cannot be used.
    public func storedOrigin() throws -> String {
        try self.storage.publicOrigin(bucket: self.configuration.bucket)
    }
}

extension Ticket {
    /// What S3 can enforce of the accepted types.
    fileprivate var contentTypeRule: PostPolicy.Rule {
        switch AcceptedType.policyCondition(for: self.accept.compactMap { AcceptedType(entry: $0) }) {
        case .exact(let type): .exact(type)
        case .startsWith(let prefix): .startsWith(prefix)
        }
    }
}

extension UploadError {
    init(expiredTicketOf field: String?) {
        self.init(
            .expiredTicket,
            field: field,
            message: "This page was open for too long. Reload it, choose the file again and send the form."
        )
    }

    init(changedTicketOf field: String?) {
        self.init(
            .invalidTicket,
            field: field,
            message: "This form was changed on its way. Reload the page, choose the file again and send the form."
        )
    }
}
