/// What a store does with old objects by itself: what this package reads and writes of a rule. Others' rules are kept as the elements they are.
///
/// ([AWS: Lifecycle configuration elements](https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html))
package struct S3LifecycleRule: Sendable, Hashable {
    package var id: String
    package var isEnabled: Bool
    /// Of the keys that it is for; empty for all.
    package var prefix: String
    /// It is for objects with some tag or size only.
    package var isConditional: Bool
    /// After so many days objects are deleted; in a bucket with versions, hidden.
    package var expirationDays: Int?
    /// It deletes objects at a date, or delete markers, or moves them to another class.
    package var hasOtherActions: Bool
    /// After so many days versions that are not current are deleted.
    package var noncurrentExpirationDays: Int?
    /// After so many days unfinished multipart uploads are given up.
    package var abortDays: Int?

    package init(
        id: String,
        prefix: String,
        expirationDays: Int? = nil,
        noncurrentExpirationDays: Int? = nil,
        abortDays: Int? = nil
    ) {
        self.id = id
        self.isEnabled = true
        self.prefix = prefix
        self.isConditional = false
        self.expirationDays = expirationDays
        self.hasOtherActions = false
        self.noncurrentExpirationDays = noncurrentExpirationDays
        self.abortDays = abortDays
    }

    /// A `Rule`, in today's form with a filter or the older one without.
    package init(_ element: XMLElement) {
        let filter = element["Filter"]
        let and = filter?["And"]
        self.id = element["ID"]?.text ?? ""
        self.isEnabled = element["Status"]?.text == "Enabled"
        self.prefix = (and?["Prefix"] ?? filter?["Prefix"] ?? element["Prefix"])?.text ?? ""
        let conditions = (filter?.children ?? []) + (and?.children ?? [])
        self.isConditional = conditions.contains { ["Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"].contains($0.name) }
        self.expirationDays = element["Expiration"]?["Days"].flatMap { Int($0.text) }
        self.noncurrentExpirationDays = element["NoncurrentVersionExpiration"]?["NoncurrentDays"].flatMap { Int($0.text) }
        self.abortDays = element["AbortIncompleteMultipartUpload"]?["DaysAfterInitiation"].flatMap { Int($0.text) }
        self.hasOtherActions =
            element.children.contains { ["Transition", "NoncurrentVersionTransition"].contains($0.name) }
            || element["Expiration"]?["Date"] != nil
    }

    package var element: XMLElement {
        var children = [
            XMLElement(name: "ID", text: self.id),
            XMLElement(name: "Filter", children: [XMLElement(name: "Prefix", text: self.prefix)]),
            XMLElement(name: "Status", text: self.isEnabled ? "Enabled" : "Disabled"),
        ]
        func add(_ name: String, _ member: String, _ days: Int?) {
            guard let days else { return }
            children.append(XMLElement(name: name, children: [XMLElement(name: member, text: String(days))]))
        }
        add("Expiration", "Days", self.expirationDays)
        add("NoncurrentVersionExpiration", "NoncurrentDays", self.noncurrentExpirationDays)
        add("AbortIncompleteMultipartUpload", "DaysAfterInitiation", self.abortDays)
        return XMLElement(name: "Rule", children: children)
    }

    /// Whether it works on every object whose key begins so.
    package func covers(_ keys: String) -> Bool {
        self.isEnabled && !self.isConditional && keys.utf8.starts(with: self.prefix.utf8)
    }
}
