/// Who may call a bucket from a browser.
///
/// ([AWS: Elements of a CORS configuration](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html))
package struct S3CORSRule: Sendable, Hashable {
    /// A name for people, and for whoever looks for their own rule.
    package var id: String?
    package var allowedOrigins: [String]
    package var allowedMethods: [String]
    package var allowedHeaders: [String]
    package var exposedHeaders: [String]
    package var maximumAge: Duration?

    package init(
        id: String? = nil,
        allowedOrigins: [String],
        allowedMethods: [String],
        allowedHeaders: [String] = ["*"],
        exposedHeaders: [String] = ["ETag"],
        maximumAge: Duration? = nil
    ) {
        self.id = id
        self.allowedOrigins = allowedOrigins
        self.allowedMethods = allowedMethods
        self.allowedHeaders = allowedHeaders
        self.exposedHeaders = exposedHeaders
        self.maximumAge = maximumAge
    }

    /// A `CORSRule`.
    package init(_ element: XMLElement) {
        self.init(
            id: element["ID"]?.text,
            allowedOrigins: element.all("AllowedOrigin").map(\.text),
            allowedMethods: element.all("AllowedMethod").map(\.text),
            allowedHeaders: element.all("AllowedHeader").map(\.text),
            exposedHeaders: element.all("ExposeHeader").map(\.text),
            maximumAge: element["MaxAgeSeconds"].flatMap { Int64($0.text) }.map { .seconds($0) }
        )
    }

    package var element: XMLElement {
        var children: [XMLElement] = []
        if let id = self.id { children.append(XMLElement(name: "ID", text: id)) }
        for (name, values) in [
            ("AllowedOrigin", self.allowedOrigins), ("AllowedMethod", self.allowedMethods),
            ("AllowedHeader", self.allowedHeaders),
            ("ExposeHeader", self.exposedHeaders),
        ] {
            children += values.map { XMLElement(name: name, text: $0) }
        }
        if let age = self.maximumAge { children.append(XMLElement(name: "MaxAgeSeconds", text: String(age.components.seconds))) }
        return XMLElement(name: "CORSRule", children: children)
    }

    /// Whether both allow the same, in whatever order they say it.
    package func isEquivalent(to other: S3CORSRule) -> Bool {
        self.id == other.id && Set(self.allowedOrigins) == Set(other.allowedOrigins)
            && Set(self.allowedMethods) == Set(other.allowedMethods)
            && Set(self.allowedHeaders.map { $0.lowercased() }) == Set(other.allowedHeaders.map { $0.lowercased() })
            && Set(self.exposedHeaders.map { $0.lowercased() }) == Set(other.exposedHeaders.map { $0.lowercased() })
            && self.maximumAge == other.maximumAge
    }
}
