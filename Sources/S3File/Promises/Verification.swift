package import Foundation
import NIOCore
import S3

/// Turns a posted form into promises: ticket, key, then the object itself in S3.
///
/// No step trusts what an earlier one did not prove, and nothing is written: a refused form leaves no trace.
package struct Verification: Sendable {
    let keys: SigningKeys
    let storage: any UploadStorage
    let tmpBucket: String
    let bucket: String
    let location: String
    let tmpPrefix: String
    /// Only for an app that takes forms of a Django app.
    let django: DjangoSignature?
    /// A form may carry many files; S3 is asked about this many at a time.
    let concurrentHeads = 8

    /// - Parameter existing: finds an upload that already claimed a tmp key, for a form that is posted again after its file was moved.
    package func promises(
        in form: FormBody,
        fields: [UploadField],
        subject: String?,
        now: Date = Date(),
        existing: @escaping @Sendable (_ tmpKey: String) async throws -> UploadPromise?
    ) async throws(UploadError) -> [String: [UploadPromise]] {
        var posted: [PostedField] = []
        for entry in try PostedField.read(form, fields: fields) {
            posted.append(try self.checked(entry, subject: subject, now: now))
        }
        var result: [String: [UploadPromise]] = [:]
        var count = 0
        for entry in posted {
            result[entry.field.name] = try await self.promises(
                of: entry,
                after: count,
                subject: subject,
                now: now,
                existing: existing
            )
            count += entry.files.count
        }
        return result
    }

    private func promises(
        of posted: PostedField,
        after count: Int,
        subject: String?,
        now: Date,
        existing: @escaping @Sendable (String) async throws -> UploadPromise?
    ) async throws(UploadError) -> [UploadPromise] {
        do {
            return try await withThrowingTaskGroup(of: (Int, UploadPromise).self) { group in
                var promises = [UploadPromise?](repeating: nil, count: posted.files.count)
                var next = 0
                while next < min(self.concurrentHeads, posted.files.count) {
                    let index = next
                    group.addTask {
                        (index, try await self.promise(posted.files[index], count + index, posted.field, subject, now, existing))
                    }
                    next += 1
                }
                while let (index, promise) = try await group.next() {
                    promises[index] = promise
                    if next < posted.files.count {
                        let index = next
                        group.addTask {
                            (
                                index,
                                try await self.promise(posted.files[index], count + index, posted.field, subject, now, existing)
                            )
                        }
                        next += 1
                    }
                }
                return promises.compactMap(\.self)
            }
        } catch let error as UploadError {
            throw error
        } catch {
            throw UploadError(
                .storageUnavailable,
                field: posted.field.name,
                message: "The file could not be checked just now. Send the form again in a moment.",
                underlying: error
            )
        }
    }

    private func promise(
        _ file: PostedField.File,
        _ position: Int,
        _ field: UploadField,
        _ subject: String?,
        _ now: Date,
        _ existing: @Sendable (String) async throws -> UploadPromise?
    ) async throws -> UploadPromise {
        func refusal(_ code: UploadError.Code, _ message: String, _ underlying: (any Error)? = nil) -> UploadError {
            UploadError(code, field: field.name, filename: file.filename, message: message, underlying: underlying)
        }
        let head: S3ObjectHead
        let bytes: [UInt8]
        do {
            (head, bytes) = try await self.look(at: file.key)
        } catch let error as S3Error where error.code == .noSuchKey {
            if let promise = try await existing(file.key) { return promise }
            throw refusal(.missingObject, "\"\(file.filename)\" did not arrive. Choose it again and send the form.")
        } catch let error as S3Error where error.status == 403 || error.code == .noSuchBucket {
            throw refusal(
                .storageRefused,
                "The server may not read its own storage. The administrator must check its settings.",
                error
            )
        } catch {
            throw refusal(
                .storageUnavailable,
                "\"\(file.filename)\" could not be checked just now. Send the form again in a moment.",
                error
            )
        }
        guard file.size == nil || file.size == head.size else {
            throw refusal(
                .replaced,
                "\"\(file.filename)\" was replaced after it had been sent. Reload the page, choose it again and send the form."
            )
        }
        guard head.size <= field.maximumSize.bytes else {
            throw refusal(
                .tooLarge,
                "\"\(file.filename)\" is too large: \(ByteCount(bytes: head.size)), and the limit is \(field.maximumSize). Choose a smaller file."
            )
        }
        let declared = head.contentType ?? "application/octet-stream"
        let contentType = ContentType.told(by: bytes, declared: declared)
        guard declared.utf8.count <= 255, field.accepts(contentType: contentType, bytes: bytes, filename: file.filename) else {
            throw refusal(
                .wrongType,
                "\"\(file.filename)\" is not of an accepted type (\(field.acceptAttribute)). Choose another file."
            )
        }
        let id = UUID.version7(now: now, position: position)
        let context = UploadTo.Context(id: id, field: field.name, owner: subject, filename: file.filename, date: now)
        let folder = [self.location, field.uploadTo.folder(for: context)].filter { !$0.isEmpty }.joined(separator: "/")
        let key = (folder.isEmpty ? "" : folder + "/") + Filename.sanitised(file.filename)
        // Below the tmp prefix it would be swept away.
        guard CanonicalKey.isCanonical(key), !key.utf8.starts(with: (self.tmpPrefix + "/").utf8) else {
            throw refusal(
                .invalidDestination,
                "The server has no valid place for this file. The administrator must check upload_to."
            )
        }
        return UploadPromise(
            id: id,
            field: field.name,
            tmpBucket: self.tmpBucket,
            tmpKey: file.key,
            filename: file.filename,
            size: head.size,
            contentType: contentType,
            etag: head.etag,
            versionID: head.versionID,
            owner: subject,
            bucket: self.bucket,
            requestedKey: try await self.freeKey(key),
            storage: field.storage == StorageSettings() ? nil : field.storage
        )
    }

    /// What S3 says of an object, and its first bytes: one request, since the answer to a read says all that the one to HEAD does.
    private func look(at key: String) async throws -> (head: S3ObjectHead, bytes: [UInt8]) {
        do {
            let object = try await self.storage.openObject(
                bucket: self.tmpBucket,
                key: key,
                versionID: nil,
                range: 0...Int64(ContentType.sniffedBytes - 1),
                ifMatch: nil
            )
            var bytes: [UInt8] = []
            for try await buffer in object {
                bytes += buffer.readableBytesView.prefix(ContentType.sniffedBytes - bytes.count)
                // A store that does not know ranges would go on to the end.
                if bytes.count == ContentType.sniffedBytes { break }
            }
            return (object.head, bytes)
        } catch let error as S3Error where error.code == .invalidRange {
            // There is no range of an empty object.
            return (try await self.storage.headObject(bucket: self.tmpBucket, key: key, versionID: nil, checksum: false), [])
        }
    }

    /// The key, or another near it when an object lies there that no upload of ours reserved: nothing is overwritten. Between uploads the
    /// record decides.
    private func freeKey(_ key: String) async throws -> String {
        do {
            _ = try await self.storage.headObject(bucket: self.bucket, key: key, versionID: nil, checksum: false)
            return Filename.alternative(toKey: key)
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            return key
        }
    }
}
