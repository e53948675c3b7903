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
        var errors: [UploadError] = []
        for entry in try PostedField.read(form, fields: fields) {
            do throws(UploadError) {
                posted.append(try self.checked(entry, subject: subject, now: now))
            } catch {
                errors.append(error)
            }
        }
        if let error = UploadError(all: errors) { throw error }
        var result: [String: [UploadPromise]] = [:]
        var count = 0
        for entry in posted {
            let outcomes = await self.promises(of: entry, after: count, subject: subject, now: now, existing: existing)
            result[entry.field.name] = outcomes.compactMap { try? $0.get() }
            for case .failure(let error) in outcomes { errors.append(error) }
            count += entry.files.count
        }
        if let error = UploadError(all: errors) { throw error }
        return result
    }

    /// What became of each file, in the order of the form: people want to know of all that is wrong at once.
    private func promises(
        of posted: PostedField,
        after count: Int,
        subject: String?,
        now: Date,
        existing: @escaping @Sendable (String) async throws -> UploadPromise?
    ) async -> [Result<UploadPromise, UploadError>] {
        await withTaskGroup(of: (Int, Result<UploadPromise, UploadError>).self) { group in
            var outcomes = [Result<UploadPromise, UploadError>?](repeating: nil, count: posted.files.count)
            var next = 0
            while next < posted.files.count || !group.isEmpty {
                if next < posted.files.count, next < self.concurrentHeads {
                    let index = next
                    next += 1
                    group.addTask { (index, await self.outcome(of: posted, index, count, subject, now, existing)) }
                    continue
                }
                guard let (index, outcome) = await group.next() else { break }
                outcomes[index] = outcome
                if next < posted.files.count {
                    let index = next
                    next += 1
                    group.addTask { (index, await self.outcome(of: posted, index, count, subject, now, existing)) }
                }
            }
            return outcomes.compactMap(\.self)
        }
    }

    private func outcome(
        of posted: PostedField,
        _ index: Int,
        _ count: Int,
        _ subject: String?,
        _ now: Date,
        _ existing: @Sendable (String) async throws -> UploadPromise?
    ) async -> Result<UploadPromise, UploadError> {
        do {
            var promise = try await self.promise(posted.files[index], count + index, posted.field, subject, now, existing)
            promise.source = ByteSource(storage: self.storage)
            return .success(promise)
        } catch let error as UploadError {
            return .failure(error)
        } catch {
            return .failure(UploadError(reading: error, field: posted.field.name, filename: posted.files[index].filename))
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
        func refusal(_ code: UploadError.Code, _ message: String) -> UploadError {
            UploadError(code, field: field.name, filename: file.filename, message: message)
        }
        let head: S3ObjectHead
        let bytes: [UInt8]
        do {
            (head, bytes) = try await self.look(at: file.key)
        } catch let error as S3Error where error.code == .noSuchKey {
            if let promise = try await existing(file.key) { return promise }
            throw refusal(.missingObject, "\"\(file.filename)\" did not arrive. Choose it again and send the form.")
        }
        guard file.size == nil || file.size == head.size else {
            throw refusal(
                .replaced,
                "\"\(file.filename)\" was replaced after it had been sent. Reload the page, choose it again and send the form."
            )
        }
        try field.check(size: head.size, filename: file.filename)
        let contentType = try field.contentType(
            declared: head.contentType ?? "application/octet-stream",
            bytes: bytes,
            filename: file.filename
        )
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
        var promise = UploadPromise(
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
        promise.tmpModifiedAt = head.lastModified
        return promise
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
