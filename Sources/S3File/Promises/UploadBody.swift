public import NIOCore
import S3

/// The bytes of a verified file, as they come from S3: with back-pressure, and so in constant memory.
///
/// ```swift
/// for try await chunk in promise.body { hash.update(data: chunk.readableBytesView) }
/// let beginning = try await promise.body(0..<512).collect(upTo: 512)
/// ```
/// Nothing is asked of S3 before the first chunk is; each loop asks anew, and to leave it, or to cancel its task, ends the request. All that
/// is read is what was verified: the request is fenced to that ETag (`If-Match`).
///
/// Iterating throws ``UploadError``: `replaced` when other bytes lie there by now, `missing_object` when the file has been moved to its place
/// or removed, `storage_unavailable` and `storage_refused` as when a form is verified. A connection that breaks is taken up where it broke.
public struct UploadBody: AsyncSequence, Sendable {
    /// The bytes come in chunks, as S3 sends them.
    public typealias Element = ByteBuffer

    let promise: UploadPromise
    /// Within the file.
    let range: Range<Int64>

    /// Begins at the range's first byte. Each iterator asks S3 by itself.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(body: self)
    }

    /// Reads one request's chunks in their order.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private enum State {
            case unopened
            case reading(StoredObject.AsyncIterator)
            case ended
        }

        private let body: UploadBody
        private var state = State.unopened

        init(body: UploadBody) {
            self.body = body
        }

        /// Concurrent, as the S3 client's own iterator is, which it holds.
        @concurrent
        public mutating func next() async throws -> ByteBuffer? {
            let state = self.state
            self.state = .ended
            do {
                var iterator: StoredObject.AsyncIterator
                switch state {
                case .ended: return nil
                case .reading(let opened): iterator = opened
                case .unopened:
                    guard let object = try await self.body.open() else { return nil }
                    iterator = object.makeAsyncIterator()
                }
                guard let buffer = try await iterator.next() else { return nil }
                self.state = .reading(iterator)
                return buffer
            } catch {
                throw self.body.promise.refusal(reading: error)
            }
        }
    }

    /// Nil when there is nothing to read.
    private func open() async throws -> StoredObject? {
        guard !self.range.isEmpty else { return nil }
        guard let storage = self.promise.source.storage else {
            throw UploadError(
                .storageUnavailable,
                field: self.promise.field,
                filename: self.promise.filename,
                message: "This promise was not made by Uploads.verify, and does not know where its bytes are."
            )
        }
        let object = try await storage.openObject(
            bucket: self.promise.tmpBucket,
            key: self.promise.tmpKey,
            versionID: self.promise.versionID,
            range: self.range.lowerBound...(self.range.upperBound - 1),
            ifMatch: self.promise.etag
        )
        // For stores that do not know the condition.
        guard S3ObjectHead.isSameETag(object.head.etag, self.promise.etag), object.head.size == self.promise.size else {
            throw S3Error(.preconditionFailed, status: 412, message: "The object has another ETag or size.")
        }
        // For stores that do not know ranges.
        let isHonoured =
            switch object.bytes {
            case .streamed(let body): body.range == self.range.lowerBound...(self.range.upperBound - 1)
            case .inMemory(let buffer): buffer.readableBytes == self.range.count
            }
        guard isHonoured else { throw S3Error(.invalidResponse, status: 200, message: "The answer has another range.") }
        return object
    }
}

extension UploadPromise {
    /// All bytes of the file.
    public var body: UploadBody { UploadBody(promise: self, range: 0..<self.size) }

    /// Some bytes of the file; what lies before its beginning or beyond its end is not there. Any bounds will do, such as those of a `Range`
    /// header.
    public func body(_ range: some RangeExpression<Int64>) -> UploadBody {
        UploadBody(promise: self, range: Range(range, within: self.size))
    }

    fileprivate func refusal(reading error: any Error) -> any Error {
        guard let error = error as? S3Error else { return error }
        switch error.code {
        case .preconditionFailed, .invalidRange:
            return UploadError(
                .replaced,
                field: self.field,
                filename: self.filename,
                message: "\"\(self.filename)\" was replaced after it had been sent. Choose it again and send the form.",
                underlying: error
            )
        case .noSuchKey, .noSuchVersion, .notFound:
            return UploadError(
                .missingObject,
                field: self.field,
                filename: self.filename,
                message: "\"\(self.filename)\" is not among the files that wait any more: it was stored, or removed.",
                underlying: error
            )
        default:
            return UploadError(reading: error, field: self.field, filename: self.filename)
        }
    }
}

/// Where a promise's bytes are read. It is no part of the claim: promises of the same object are equal, wherever they are read.
package struct ByteSource: Sendable, Equatable {
    let storage: (any UploadStorage)?

    package static func == (one: ByteSource, other: ByteSource) -> Bool { true }
}
