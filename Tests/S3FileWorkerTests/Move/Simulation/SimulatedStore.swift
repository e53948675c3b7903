import Foundation

@testable import S3
@testable import S3FileWorker

/// What S3 makes of the requests of a move: one tmp key, one destination, and the conditions that it is said to honour. It does at once what it is
/// asked; when that arrives, and who hears of it, is ``SimulatedMove``'s matter.
struct SimulatedStore {
    enum Author {
        case person
        case stranger
        case worker
    }

    struct Object {
        /// Equal for equal bytes.
        var content: Int
        var size: Int64
        var etag: String
        var modified: Date
        var version: String
        var author: Author
        var contentType: String?
        var metadata: [String: String] = [:]
    }

    struct Upload {
        var attributes: S3ObjectAttributes
        var parts: [Int: (etag: String, content: Int, range: ClosedRange<Int64>)] = [:]
    }

    /// How it answers; drawn for each run.
    struct Traits {
        var honoured: S3Capabilities
        /// Whether the ETag of an object that came in one piece is a digest of its bytes.
        var etagsAreDigests: Bool
        /// What it copies in one request.
        var copyLimit: Int64
        /// Ceph 16 does not.
        var tellsCompletedETag: Bool
    }

    let traits: Traits
    var now = Date(timeIntervalSince1970: 1_700_000_000)
    /// The latest is the current one; an unversioned bucket has no other.
    private(set) var tmp: [Object] = []
    private(set) var destination: Object?
    private(set) var uploads: [String: Upload] = [:]
    private var lastNumber = 0

    init(traits: Traits) {
        self.traits = traits
    }

    private mutating func number() -> Int {
        self.lastNumber += 1
        return self.lastNumber
    }

    private mutating func etag(content: Int) -> String {
        self.traits.etagsAreDigests ? "\"d\(content)\"" : "\"u\(self.number())\""
    }

    // MARK: Others

    /// - Parameter inParts: whether the ETag is that of an upload in parts, and no digest.
    @discardableResult
    mutating func post(content: Int, size: Int64, inParts: Bool) -> Object {
        if !self.traits.honoured.sourceVersions { self.tmp = [] }
        let object = Object(
            content: content,
            size: size,
            etag: inParts ? "\"p\(content)-2\"" : self.etag(content: content),
            modified: self.now,
            version: "v\(self.number())",
            author: .person
        )
        self.tmp.append(object)
        return object
    }

    /// Where nothing is: what a stranger overwrites is not for us to save.
    mutating func putStrangers() {
        guard self.destination == nil else { return }
        self.destination = Object(
            content: -1,
            size: 3,
            etag: "\"s\"",
            modified: self.now,
            version: "v\(self.number())",
            author: .stranger
        )
    }

    mutating func deleteTmp(etag: String, version: String?) {
        if let version {
            self.tmp.removeAll { $0.version == version }
        } else if !self.traits.honoured.batchDeleteIfMatch || self.tmp.last?.etag == etag {
            self.tmp = []
        }
    }

    // MARK: Requests

    private func source(_ versionID: String?) throws(S3Error) -> Object {
        guard let versionID, self.traits.honoured.sourceVersions else {
            guard let object = self.tmp.last else { throw S3Error(.noSuchKey, status: 404, message: "") }
            return object
        }
        guard let object = self.tmp.first(where: { $0.version == versionID }) else {
            throw S3Error(.noSuchVersion, status: 404, message: "")
        }
        return object
    }

    func head(ofTmp isTmp: Bool, versionID: String?, checksum: Bool) throws(S3Error) -> S3ObjectHead {
        let object: Object
        if isTmp {
            do { object = try self.source(versionID) } catch { throw S3Error(.notFound, status: 404, message: "") }
        } else {
            guard let destination else { throw S3Error(.notFound, status: 404, message: "") }
            object = destination
        }
        return S3ObjectHead(
            size: object.size,
            etag: object.etag,
            contentType: object.contentType,
            lastModified: object.modified,
            checksum: checksum && self.traits.honoured.checksums ? "c\(object.content)" : nil,
            date: self.now,
            metadata: object.metadata
        )
    }

    mutating func copy(_ copy: S3CopyRequest) throws(S3Error) -> S3CopyResult {
        let source = try self.source(copy.sourceVersionID)
        guard source.size <= self.traits.copyLimit else { throw S3Error(.entityTooLarge, status: 400, message: "") }
        if self.traits.honoured.copySourceIfMatch, let etag = copy.sourceIfMatch, etag != source.etag {
            throw S3Error(.preconditionFailed, status: 412, message: "")
        }
        if self.traits.honoured.copyIfNoneMatch { try self.require(ifNoneMatch: copy.ifNoneMatch, ifMatch: copy.ifMatch) }
        let object = Object(
            content: source.content,
            size: source.size,
            etag: self.etag(content: source.content),
            modified: self.now,
            version: "v\(self.number())",
            author: .worker,
            contentType: copy.attributes.contentType,
            metadata: copy.attributes.metadata
        )
        self.destination = object
        return S3CopyResult(etag: object.etag, lastModified: self.now, versionID: nil)
    }

    private func require(ifNoneMatch: Bool, ifMatch: String?) throws(S3Error) {
        if ifNoneMatch, self.destination != nil { throw S3Error(.preconditionFailed, status: 412, message: "") }
        guard let ifMatch else { return }
        guard let destination else { throw S3Error(.noSuchKey, status: 404, message: "") }
        guard destination.etag == ifMatch else { throw S3Error(.preconditionFailed, status: 412, message: "") }
    }

    mutating func create(_ attributes: S3ObjectAttributes) -> String {
        let id = "m\(self.number())"
        self.uploads[id] = Upload(attributes: attributes)
        return id
    }

    mutating func copyPart(
        _ copy: S3CopyRequest,
        uploadID: String,
        number: Int,
        range: ClosedRange<Int64>
    ) throws(S3Error) -> S3Part {
        guard self.uploads[uploadID] != nil else { throw S3Error(.noSuchUpload, status: 404, message: "") }
        let source = try self.source(copy.sourceVersionID)
        if self.traits.honoured.partCopySourceIfMatch, let etag = copy.sourceIfMatch, etag != source.etag {
            throw S3Error(.preconditionFailed, status: 412, message: "")
        }
        guard range.upperBound < source.size else { throw S3Error(.invalidRange, status: 416, message: "") }
        let etag = "\"e\(self.number())\""
        self.uploads[uploadID]?.parts[number] = (etag, source.content, range)
        return S3Part(number: number, etag: etag)
    }

    func listParts(_ uploadID: String) throws(S3Error) -> [S3ListedPart] {
        guard let upload = self.uploads[uploadID] else { throw S3Error(.noSuchUpload, status: 404, message: "") }
        return upload.parts.sorted { $0.key < $1.key }.map {
            S3ListedPart(part: S3Part(number: $0.key, etag: $0.value.etag), size: Int64($0.value.range.count))
        }
    }

    mutating func complete(
        _ uploadID: String,
        parts: [S3Part],
        size: Int64?,
        ifNoneMatch: Bool,
        ifMatch: String?
    ) throws(S3Error) -> S3CompletedUpload {
        guard let upload = self.uploads[uploadID] else { throw S3Error(.noSuchUpload, status: 404, message: "") }
        if self.traits.honoured.completeIfNoneMatch { try self.require(ifNoneMatch: ifNoneMatch, ifMatch: ifMatch) }
        var end: Int64 = 0
        var contents: Set<Int> = []
        for part in parts.sorted(by: { $0.number < $1.number }) {
            guard let stored = upload.parts[part.number], stored.etag == part.etag else {
                throw S3Error(.invalidPart, status: 400, message: "")
            }
            // Bytes out of their place are no content that anybody has posted.
            contents.insert(stored.range.lowerBound == end ? stored.content : -2)
            end += Int64(stored.range.count)
        }
        self.uploads[uploadID] = nil
        let object = Object(
            content: contents.count == 1 ? contents.first ?? -2 : -2,
            size: end,
            etag: "\"p\(self.number())-\(parts.count)\"",
            modified: self.now,
            version: "v\(self.number())",
            author: .worker,
            contentType: upload.attributes.contentType,
            metadata: upload.attributes.metadata
        )
        self.destination = object
        return S3CompletedUpload(etag: self.traits.tellsCompletedETag ? object.etag : nil)
    }

    mutating func abort(_ uploadID: String) {
        self.uploads[uploadID] = nil
    }
}
