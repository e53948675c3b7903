/// What a button did, told by the page that comes after it. It travels in the address, so it is only ever one of these sentences.
struct Notice: Sendable, Equatable {
    enum Kind: String, Sendable {
        case retried, notRetried, cancelled, cancelAsked, retriedAll, paused, resumed
    }

    var kind: Kind
    /// A code or a queue.
    var subject: String
    var count: Int
    var lost: Int
    var hasMore: Bool

    init(_ kind: Kind, of subject: String = "", count: Int = 0, lost: Int = 0, hasMore: Bool = false) {
        self.kind = kind
        self.subject = subject
        self.count = count
        self.lost = lost
        self.hasMore = hasMore
    }

    init?(_ fields: DashboardFields) {
        guard let kind = fields["done"].flatMap(Kind.init(rawValue:)) else { return nil }
        self.init(
            kind,
            of: fields["of"] ?? "",
            count: fields.number("count") ?? 0,
            lost: fields.number("lost") ?? 0,
            hasMore: fields["more"] != nil
        )
    }

    var query: String {
        var text = "done=\(self.kind.rawValue)"
        if !self.subject.isEmpty { text += "&of=\(Wording.query(self.subject))" }
        if self.count > 0 { text += "&count=\(self.count)" }
        if self.lost > 0 { text += "&lost=\(self.lost)" }
        if self.hasMore { text += "&more=1" }
        return text
    }

    var html: HTML {
        "<p class=\"dash-notice\" role=\"status\">\(self.sentence)</p>\n"
    }

    private var sentence: HTML {
        switch self.kind {
        case .retried: "It is queued again."
        case .notRetried: "It was not queued again: it has not failed, or its bytes are gone."
        case .cancelled: "It is cancelled."
        case .cancelAsked: "It ends as cancelled, unless it is stored first, or has ended already."
        case .paused: "Queue <bdi>\(self.subject)</bdi> is paused. What is moving comes to its end."
        case .resumed: "Queue <bdi>\(self.subject)</bdi> goes on."
        case .retriedAll: self.retriedAll
        }
    }

    private var retriedAll: HTML {
        let first: HTML =
            "\(Wording.count(self.count, "upload")) that had failed with <bdi>\(self.subject)</bdi> \(self.count == 1 ? "is" : "are") queued again."
        let lost: HTML? =
            self.lost > 0 ? " \(Wording.count(self.lost, "other")) cannot be: their bytes, or their queue, are gone." : nil
        let more: HTML? = self.hasMore ? " There are more: press the button again." : nil
        return "\(first)\(lost)\(more)"
    }
}
