public import Foundation

extension Upload {
    /// The JSON of the status API, as one shape for every reader.
    private struct Body: Encodable {
        var id: String
        var status: UploadStatus
        var field: String
        var filename: String
        var size: Int64
        var contentType: String
        var key: String?
        var attempt: Int
        var maxAttempts: Int
        var progress: Progress
        var error: Failure?
        var createdAt: Date
        var updatedAt: Date
        var storedAt: Date?
        var url: String?
    }

    /// `{id, status, field, filename, size, contentType, key, attempt, maxAttempts, progress, error?, createdAt, updatedAt, storedAt?, url?}`;
    /// times are RFC 3339 in UTC, with milliseconds.
    ///
    /// - Parameter url: where the stored file can be fetched, when it is to be told.
    public func json(url: String? = nil) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        }
        return try encoder.encode(
            Body(
                id: self.id.uuidString.lowercased(),
                status: self.status,
                field: self.field,
                filename: self.filename,
                size: self.size,
                contentType: self.contentType,
                key: self.key,
                attempt: self.attempt,
                maxAttempts: self.maxAttempts,
                progress: self.progress,
                error: self.error,
                createdAt: self.createdAt,
                updatedAt: self.updatedAt,
                storedAt: self.storedAt,
                url: url
            )
        )
    }
}
