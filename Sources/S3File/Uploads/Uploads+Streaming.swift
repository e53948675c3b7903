import CoreMetrics
package import NIOCore
import S3

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A folder below the tmp prefix for files that come through this process, as the one of a drawn input is for those that a browser posts.
package struct TmpFolder: Sendable {
    package let field: UploadField
    /// What lets a form name keys in the folder.
    package let ticket: String
    let path: String
}

extension UploadField {
    /// The most bytes of a file that is in the form itself: what one POST takes, also of a field whose larger files are uploaded in parts.
    package var largestStreamed: ByteCount { min(self.maximumSize, Self.largestPost) }
}

/// Files that are in the form itself.
extension Uploads {
    package func tmpFolder(for field: UploadField, subject: String?) throws -> TmpFolder {
        let ticket = self.newTicket(for: field, subject: subject, now: Date())
        return TmpFolder(field: field, ticket: try ticket.signed(with: self.keys), path: ticket.folder)
    }

    /// Stores a file as its bytes come: checked by its first bytes before one is sent to S3, and by its size all along.
    ///
    /// - Parameters:
    ///   - declaredType: what the part's own header says.
    ///   - next: the next bytes; at the end nil.
    ///   - stored: gets what is in S3 of it, or may be, also when this throws: it is for ``discard(_:)`` when the form is refused.
    /// - Returns: its key.
    /// - Throws: ``UploadError``, or what `next` throws.
    package func receive(
        _ filename: String,
        declaredType: String?,
        into folder: TmpFolder,
        next: () async throws -> ByteBuffer?,
        stored: inout [StreamedObject]
    ) async throws -> String {
        let key = folder.path + "/" + Base64URL.random()
        let field = folder.field
        // Only a type that S3 can be told in a header.
        let type = declaredType.flatMap { type in
            type.utf8.count <= 255 && type.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? type : nil
        }
        let declared = type ?? "application/octet-stream"
        let limit = field.largestStreamed.bytes
        var size: Int64 = 0
        defer { self.metrics.streamedBytes.increment(by: size) }
        do {
            try await self.tmpWriter.write(
                key: key,
                contentType: declared,
                inspect: { _ = try field.contentType(declared: declared, bytes: $0, filename: filename) },
                next: {
                    let bytes = try await next()
                    size += Int64(bytes?.readableBytes ?? 0)
                    guard size <= limit else {
                        throw UploadError(
                            .tooLarge,
                            field: field.name,
                            filename: filename,
                            message:
                                "\"\(filename)\" is too large: the limit is \(ByteCount(bytes: limit)). Choose a smaller file."
                        )
                    }
                    return bytes
                },
                stored: &stored
            )
        } catch let error as S3Error {
            throw UploadError(writing: error, field: field.name, filename: filename)
        }
        return key
    }

    /// Takes back what ``receive(_:declaredType:into:next:stored:)`` stored, when its form is refused. It does not take long, though S3 may.
    package func discard(_ objects: [StreamedObject]) async {
        await self.tmpWriter.remove(objects)
    }

    private var tmpWriter: TmpWriter {
        TmpWriter(storage: self.storage, bucket: self.configuration.tmpBucket, logger: self.logger)
    }
}
