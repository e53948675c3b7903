/// A page of a bucket's multipart uploads: by key, and of a key the oldest first.
struct UploadListing: Sendable {
    struct Request: Sendable {
        var prefix: [UInt8] = []
        var delimiter: [UInt8] = []
        var maximum = 1000
        var keyMarker: [UInt8] = []
        /// With it, the page begins within the uploads of `keyMarker`.
        var idMarker = ""
    }

    var uploads: [UploadRecord] = []
    var prefixes: [[UInt8]] = []
    /// Where the page ended; nil when nothing follows. The id is empty behind a common prefix.
    var next: (key: [UInt8], id: String)?

    /// - Parameter all: in the order of a listing.
    init(_ request: Request, of all: [UploadRecord]) {
        let start = Self.start(request, all)
        var last: (key: [UInt8], id: String)?
        for upload in all[start...] {
            let key = Array(upload.key.utf8)
            guard key.starts(with: request.prefix) else {
                continue
            }
            let end = Listing.end(of: request.delimiter, in: key, from: request.prefix.count)
            let group = end.map { Array(key[..<$0]) }
            // Told of already, on this page or on the one before.
            if let group, group == self.prefixes.last || (request.idMarker.isEmpty && group == request.keyMarker) {
                continue
            }
            guard self.uploads.count + self.prefixes.count < request.maximum else {
                self.next = last
                return
            }
            if let group {
                self.prefixes.append(group)
                last = (group, "")
            } else {
                self.uploads.append(upload)
                last = (key, upload.id)
            }
        }
    }

    /// Behind the marker: later keys, and with an id the uploads of the same key that follow that one, which may have ended meanwhile.
    private static func start(_ request: Request, _ all: [UploadRecord]) -> Int {
        guard !request.keyMarker.isEmpty else {
            return all.startIndex
        }
        let marker = UploadRecord.initiated(ofID: request.idMarker).map { ($0, request.idMarker) }
        let next = all.firstIndex { upload in
            if request.keyMarker.lexicographicallyPrecedes(upload.key.utf8) { return true }
            guard let marker, upload.key.utf8.elementsEqual(request.keyMarker) else { return false }
            return marker < (upload.initiated, upload.id)
        }
        return next ?? all.endIndex
    }
}
