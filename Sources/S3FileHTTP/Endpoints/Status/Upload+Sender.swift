import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Upload {
    /// Errors whose sentences are ours.
    private static let explained: Set<String> = [
        "source_changed", "source_missing", "destination_exists", "wrong_type", "copy_unproved", "worker_lost", "form_refused",
        "expired",
    ]

    /// As whoever sent the file may see it. What a store or a program had to say names accounts, hosts and settings: that is for those who run
    /// the site, and they find it in the record.
    var forSender: Upload {
        guard let error = self.error, !Self.explained.contains(error.code) else { return self }
        var upload = self
        upload.error?.message =
            self.status == .failed
            ? "The file storage refused it. Please tell the people who run this site."
            : "The file storage does not take it just now."
        return upload
    }

    /// The status JSON for whoever sent the file, with a URL of it once it is stored.
    func json(for uploads: Uploads) async throws -> Data {
        try self.forSender.json(url: try await uploads.url(of: self))
    }
}
