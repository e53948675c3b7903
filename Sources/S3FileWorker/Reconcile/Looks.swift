import Foundation
import S3
import S3File

/// Looks at single objects, several at a time, to confirm what a listing let suspect.
struct Looks: Sendable {
    static let atATime = 16

    /// What a HEAD came to.
    enum Look: Sendable {
        case present(S3ObjectHead)
        case absent
        /// The store does not let us see it.
        case hidden

        var head: S3ObjectHead? {
            guard case .present(let head) = self else { return nil }
            return head
        }

        var isAbsent: Bool {
            guard case .absent = self else { return false }
            return true
        }
    }

    struct Object: Sendable {
        var bucket: String
        var key: String
        var versionID: String?
    }

    let s3: S3Client

    func look(_ bucket: String, _ key: String, versionID: String? = nil) async throws -> Look {
        do {
            return .present(try await self.s3.headObject(bucket: bucket, key: key, versionID: versionID))
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound || error.code == .noSuchVersion {
            return .absent
        } catch let error as S3Error where error.status == 403 && error.code == .accessDenied {
            return .hidden
        }
    }

    /// In the order asked.
    func look(_ objects: [Object]) async throws -> [Look] {
        guard objects.count > 1 else {
            var looks: [Look] = []
            for object in objects { looks.append(try await self.look(object.bucket, object.key, versionID: object.versionID)) }
            return looks
        }
        var looks = [Look](repeating: .hidden, count: objects.count)
        try await withThrowingTaskGroup(of: (Int, Look).self) { group in
            var next = 0
            func start() {
                guard next < objects.count else { return }
                let (index, object) = (next, objects[next])
                next += 1
                group.addTask { (index, try await self.look(object.bucket, object.key, versionID: object.versionID)) }
            }
            for _ in 0..<Self.atATime { start() }
            while let (index, look) = try await group.next() {
                looks[index] = look
                start()
            }
        }
        return looks
    }

    /// Nobody is told that a file is gone on the word of a HEAD alone, whose 404 may be that of a proxy that has lost its S3.
    func isGone(_ bucket: String, _ key: String) async throws -> Bool {
        guard try await self.look(bucket, key).isAbsent else { return false }
        let listing = try await self.s3.listObjects(bucket: bucket, prefix: key, maxKeys: 1)
        return listing.objects.first.map { !$0.key.utf8.elementsEqual(key.utf8) } ?? true
    }
}

extension S3ObjectHead {
    /// The upload that an object says it is a copy of.
    var stampedUpload: UUID? {
        guard self.metadata[Stamp.sourceName] != nil else { return nil }
        return self.metadata[Stamp.uploadName].flatMap { UUID(uuidString: $0) }
    }
}

extension UUID {
    /// When an id of version 7 was made. <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7>
    var version7Time: Date? {
        let bytes = self.uuid
        guard bytes.6 >> 4 == 7 else { return nil }
        let milliseconds = [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }
}
