import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A page of uploads, and what was asked for it.
struct UploadList: Sendable {
    /// What a list shows. What is `nil` is not asked.
    struct Asked: Sendable {
        /// An id, a key, a tmp key, how one begins, or an owner.
        var text: String?
        var status: UploadStatus?
        var queue: String?
        var owner: String?
        var bucket: String?
        var code: String?
        /// Goes on behind this one.
        var after: UUID?

        init(_ fields: DashboardFields) throws(Problem) {
            self.text = fields["q"]
            self.status = try fields.status("status")
            self.queue = fields["queue"]
            self.owner = fields["owner"]
            self.bucket = fields["bucket"]
            self.code = fields["code"]
            self.after = try fields.id("after")
        }

        /// The error, when nothing else is asked: then an index knows the answer.
        var onlyCode: String? {
            self.status == nil && self.queue == nil && self.owner == nil && self.bucket == nil ? self.code : nil
        }

        var filter: UploadFilter {
            var filter = UploadFilter()
            filter.statuses = self.status.map { [$0] }
            filter.queue = self.queue
            filter.owner = self.owner
            filter.bucket = self.bucket
            filter.errorCode = self.code
            return filter
        }

        /// Whether one that was found by ``text`` is asked for, too.
        func fits(_ found: QueuedUpload) -> Bool {
            let upload = found.upload
            return (self.status ?? upload.status) == upload.status && (self.queue ?? found.queue) == found.queue
                && (self.owner == nil || self.owner == upload.owner) && (self.bucket ?? upload.bucket) == upload.bucket
                && (self.code == nil || self.code == upload.error?.code)
        }

        /// The same list, behind this one.
        func query(after id: UUID) -> String {
            let values = [
                ("status", self.status?.rawValue), ("queue", self.queue), ("owner", self.owner), ("bucket", self.bucket),
                ("code", self.code), ("after", id.uuidString.lowercased()),
            ]
            return values.compactMap { name, value in value.map { "\(name)=\(Wording.query($0))" } }.joined(separator: "&")
        }

        var isNarrowed: Bool {
            self.status != nil || self.queue != nil || self.owner != nil || self.bucket != nil || self.code != nil
        }
    }

    var asked: Asked
    var uploads: [QueuedUpload]
    var next: UUID?
    var readAt: Date
}

extension DashboardPage {
    static func list(_ list: UploadList, root: String) -> DashboardPage {
        DashboardPage(
            title: "Uploads",
            root: root,
            place: .uploads,
            searched: list.asked.text ?? "",
            content: """
                <h1>Uploads</h1>
                \(list.form(root: root))\(list.table(root: root))\(list.pages(root: root))
                """
        )
    }
}

extension UploadList {
    fileprivate func form(root: String) -> HTML {
        let statuses = UploadStatus.allCases.map { status -> HTML in
            "<option\(self.asked.status == status ? " selected" : "" as HTML)>\(status.rawValue)</option>"
        }
        return """
            <details class="dash-filter"\(self.asked.isNarrowed ? " open" : "" as HTML)>
            <summary>Narrow down</summary>
            <form action="\(root)uploads">
            <p><label for="status">Status</label> <select id="status" name="status"><option value="">any</option>\(statuses)</select></p>
            \(self.field("queue", "Queue", self.asked.queue))\(self.field("owner", "Owner", self.asked.owner))\
            \(self.field("bucket", "Bucket", self.asked.bucket))\(self.field("code", "Error", self.asked.code))\
            <p><button>Show</button> <a href="\(root)uploads">All</a></p>
            </form>
            </details>

            """
    }

    private func field(_ name: String, _ title: String, _ value: String?) -> HTML {
        """
        <p><label for="\(name)">\(title)</label> <input id="\(name)" name="\(name)" value="\(value ?? "")" maxlength="255" \
        autocomplete="off"></p>

        """
    }

    fileprivate func table(root: String) -> HTML {
        DashboardTable(
            id: "list",
            caption: self.caption,
            columns: [
                .text("File"), .text("Status"), .text("Enqueued"), .number("Size"), .text("Owner"), .text("Queue"), .text("Key"),
            ],
            rows: self.uploads.map { found in
                let upload = found.upload
                let error: HTML? = upload.error.map { " <span class=\"dash-quiet\"><bdi>\($0.code)</bdi></span>" }
                return DashboardTable.Row(
                    key: upload.id.uuidString,
                    cells: [
                        "<a href=\"\(root)uploads/\(upload.id.uuidString.lowercased())\"><bdi>\(Self.name(of: upload))</bdi></a>",
                        "\(Wording.badge(upload.status))\(error)",
                        Wording.ago(upload.createdAt, now: self.readAt),
                        "\(ByteCount(bytes: upload.size).description)",
                        "<bdi>\(upload.owner ?? "–")</bdi>",
                        "<bdi>\(found.queue)</bdi>",
                        "<span class=\"dash-key\"><bdi>\(upload.key ?? "–")</bdi></span>",
                    ]
                )
            },
            empty: self.next == nil ? "There is none." : "None among those that were looked through: look further back."
        ).html
    }

    /// A name of blanks would be a link without a name.
    static func name(of upload: Upload) -> String {
        upload.filename.contains { !$0.isWhitespace } ? upload.filename : "(no name)"
    }

    private var caption: String {
        if let text = self.asked.text { return "Found for “\(text)”" }
        if self.asked.after != nil { return "Older uploads" }
        return self.asked.isNarrowed ? "The newest that fit" : "The newest"
    }

    fileprivate func pages(root: String) -> HTML {
        guard let next = self.next else { return "" }
        let words = self.uploads.count < DashboardEndpoints.pageLength ? "Look further back" : "Older"
        return
            "<p class=\"dash-pages\"><a href=\"\(root)uploads?\(self.asked.query(after: next))\" rel=\"next\">\(words)</a></p>\n"
    }
}
