package import Foundation
import S3

/// Files that a browser uploads in parts: the app signs each part's URL and completes the object; the bytes go to S3.
///
/// Beginning needs a live ticket, all else what ``begin(ticket:size:contentType:now:)`` signed. No step trusts the browser's word for what
/// the store has.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>
package struct ResumableUploads: Sendable {
    /// How many of them a ticket may have begun and not ended, beyond the files that its field takes: for those that a reload forgot.
    static let spare = 4
    /// How many URLs are signed at a time.
    package static let partsAtATime = 100

    let uploads: Uploads

    private var storage: any UploadStorage { self.uploads.storage }
    private var bucket: String { self.uploads.configuration.tmpBucket }

    /// Begins one in the folder of a live ticket, under a key of its own.
    ///
    /// - Parameters:
    ///   - size: in bytes; the parts must come to it.
    ///   - contentType: as the browser has it; empty when it does not know.
    /// - Returns: the upload and its token.
    /// - Throws: ``UploadError``.
    package func begin(
        ticket token: String,
        size: Int64,
        contentType: String,
        now: Date = Date()
    ) async throws(UploadError) -> (upload: ResumableUpload, token: String) {
        let ticket = try self.uploads.ticket(token, endedAfter: now)
        guard size > 0, size <= ticket.maximumSize else {
            throw UploadError(
                .tooLarge,
                field: ticket.field,
                message:
                    "A file of \(ByteCount(bytes: max(0, size))) cannot be taken: the limit is \(ByteCount(bytes: ticket.maximumSize)). Choose another file."
            )
        }
        let contentType = contentType.isEmpty ? "application/octet-stream" : contentType
        guard contentType.utf8.count <= 255, contentType.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
            AcceptedType.declared(contentType, mayBeIn: ticket.accept)
        else {
            throw UploadError(
                .wrongType,
                field: ticket.field,
                message: "This type of file is not accepted (\(ticket.accept.joined(separator: ","))). Choose another file."
            )
        }
        return try await self.asking(ticket.field) {
            try await self.refuseTooMany(in: ticket)
            let key = ticket.folder + "/" + Base64URL.random()
            let uploadID = try await self.storage.createMultipartUpload(
                bucket: self.bucket,
                key: key,
                attributes: S3ObjectAttributes(contentType: contentType)
            )
            let upload = ResumableUpload(
                key: key,
                uploadID: uploadID,
                size: size,
                field: ticket.field,
                // Its form needs a live ticket.
                expiresAt: min(ticket.expiresAt, now.addingTimeInterval(self.lifetime))
            )
            return (upload, try upload.signed(with: self.uploads.keys))
        }
    }

    /// URLs to which the browser sends parts by PUT, each with just the bytes that the part has.
    ///
    /// - Parameter numbers: from 1; at most ``partsAtATime``.
    package func urls(
        of numbers: [Int],
        token: String,
        now: Date = Date()
    ) async throws(UploadError) -> [(number: Int, url: String)] {
        let upload = try self.read(token, now: now)
        guard (1...Self.partsAtATime).contains(numbers.count), numbers.allSatisfy({ upload.size(ofPart: $0) != nil }) else {
            throw UploadError(
                .malformedForm,
                field: upload.field,
                message: "Ask for 1 to \(Self.partsAtATime) parts between 1 and \(upload.partCount)."
            )
        }
        let life = min(
            self.uploads.configuration.policyLifetime,
            Duration.seconds(Int64(upload.expiresAt.timeIntervalSince(now)))
        )
        return try await self.asking(upload.field) {
            var urls: [(number: Int, url: String)] = []
            for number in numbers {
                guard let size = upload.size(ofPart: number) else { continue }
                let url = try await self.storage.presignedPartURL(
                    bucket: self.bucket,
                    key: upload.key,
                    uploadID: upload.uploadID,
                    number: number,
                    size: size,
                    expires: life,
                    now: now
                )
                urls.append((number, url))
            }
            return urls
        }
    }

    /// The parts that the store has with the right size; all of them once the upload is complete.
    package func parts(token: String, now: Date = Date()) async throws(UploadError) -> [Int] {
        let upload = try self.read(token, now: now)
        return try await self.asking(upload.field) {
            guard let parts = try await self.storedParts(of: upload) else {
                try await self.requireObject(of: upload)
                return Array(1...upload.partCount)
            }
            return parts.map(\.number)
        }
    }

    /// Makes the object of its parts, as the store lists them. Can be repeated: what is complete stays so.
    package func complete(token: String, now: Date = Date()) async throws(UploadError) -> ResumableUpload {
        let upload = try self.read(token, now: now)
        return try await self.asking(upload.field) {
            guard let parts = try await self.storedParts(of: upload) else {
                try await self.requireObject(of: upload)
                return upload
            }
            guard parts.count == upload.partCount else {
                throw UploadError(
                    .incompleteUpload,
                    field: upload.field,
                    message: "\(upload.partCount - parts.count) of \(upload.partCount) parts have not arrived. Send them again."
                )
            }
            do {
                _ = try await self.storage.completeMultipartUpload(
                    bucket: self.bucket,
                    key: upload.key,
                    uploadID: upload.uploadID,
                    parts: parts,
                    size: upload.size,
                    ifNoneMatch: false,
                    ifMatch: nil
                )
            } catch let failure as S3Error where failure.isOutcomeUnknown || failure.code == .noSuchUpload {
                // It may have been completed all the same, or by a request beside this one: nothing else writes this key.
                do {
                    try await self.requireObject(of: upload)
                } catch is UploadError where failure.isOutcomeUnknown {
                    throw failure
                }
            }
            return upload
        }
    }

    /// Gives the parts up. One that is gone, or complete, is success: a complete one is a tmp object that no form claims.
    package func abort(token: String, now: Date = Date()) async throws(UploadError) {
        let upload = try self.read(token, now: now)
        try await self.asking(upload.field) {
            try await self.storage.abortMultipartUpload(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID)
        }
    }

    // MARK: The steps

    /// From the beginning of the upload, from which its object's age counts, to an hour before the sweep takes it.
    private var lifetime: TimeInterval {
        TimeInterval((self.uploads.configuration.expiry - .seconds(3600)).components.seconds)
    }

    private func read(_ token: String, now: Date) throws(UploadError) -> ResumableUpload {
        guard let upload = ResumableUpload.read(token, keys: self.uploads.keys) else {
            throw UploadError(changedTicketOf: nil)
        }
        guard now < upload.expiresAt else {
            throw UploadError(
                .expired,
                field: upload.field,
                message: "The upload took too long and was given up. Choose the file again."
            )
        }
        return upload
    }

    /// A ticket could begin uploads without end, each of which costs money until it is given up. The store counts them.
    private func refuseTooMany(in ticket: Ticket) async throws {
        let folder = ticket.folder + "/"
        let open: Int
        do {
            // Some stores take the prefix for less than it is; what others began is no matter of this ticket.
            open = try await self.storage.listMultipartUploads(bucket: self.bucket, prefix: folder, after: nil)
                .uploads.count(where: { $0.key.utf8.starts(with: folder.utf8) })
        } catch let error as S3Error where error.code == .notImplemented || error.code == .methodNotAllowed {
            return
        }
        guard open < ticket.maximumCount + Self.spare else {
            throw UploadError(
                .tooManyUploads,
                field: ticket.field,
                message: "Too many uploads were begun on this page. Reload it and choose the files again."
            )
        }
    }

    /// `nil` when there is no such upload: it is complete, or was given up.
    private func storedParts(of upload: ResumableUpload) async throws -> [S3Part]? {
        do {
            return try await self.storage.listParts(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID)
                .filter { upload.size(ofPart: $0.part.number) == $0.size }.map(\.part)
        } catch let error as S3Error where error.code == .noSuchUpload || error.code == .noSuchKey {
            return nil
        }
    }

    private func requireObject(of upload: ResumableUpload) async throws {
        do {
            guard
                try await self.storage.headObject(
                    bucket: self.bucket,
                    key: upload.key,
                    versionID: nil,
                    checksum: false
                ).size == upload.size
            else {
                throw self.gone(upload)
            }
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            throw self.gone(upload)
        }
    }

    private func gone(_ upload: ResumableUpload) -> UploadError {
        UploadError(.expired, field: upload.field, message: "The upload is not there any more. Choose the file again.")
    }

    private func asking<R>(_ field: String, _ body: () async throws -> R) async throws(UploadError) -> R {
        do {
            return try await body()
        } catch let error as UploadError {
            throw error
        } catch let error as S3Error where error.status == 403 || error.code == .noSuchBucket {
            throw UploadError(
                .storageRefused,
                field: field,
                message: "The server may not write to its own storage. The administrator must check its settings.",
                underlying: error
            )
        } catch {
            throw UploadError(
                .storageUnavailable,
                field: field,
                message: "The file storage does not answer just now. Try again in a moment.",
                underlying: error
            )
        }
    }
}

extension Uploads {
    /// Uploads in parts, which browsers begin.
    package var resumable: ResumableUploads { ResumableUploads(uploads: self) }
}
