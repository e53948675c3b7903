import Foundation
import S3
import S3File

/// What a bucket should have, merged with what it has: our rules are known by their ids, and others' are kept to the letter.
struct BucketSetup: Sendable {
    /// Of CORS and of the lifecycle.
    static let corsID = "s3file"
    static let tmpRuleID = "s3file-tmp"
    static let uploadsRuleID = "s3file-unfinished-uploads"

    let client: S3Client
    let configuration: S3FileConfiguration
    /// Who the bucket policy is for, as ARNs; nil leaves the policy alone.
    let principals: [String]?

    /// One document of a bucket, before and after.
    struct Change: Sendable {
        enum Document: String, Sendable, Encodable { case cors, lifecycle, policy }

        enum State: String, Sendable, Encodable {
            case unchanged, changed
            /// The store does not know it.
            case unknown
        }

        var bucket: String
        var document: Document
        var state: State
        var before = ""
        var after = ""
        /// Of CORS and of the lifecycle: what to write.
        var rules: [XMLElement] = []
        /// Of an unknown one: what the store said.
        var reason: String?
    }

    /// Reads everything, and changes nothing.
    ///
    /// - Throws: `S3Error` when a bucket or one of its documents cannot be read: nothing is written over what was not seen.
    func plan() async throws -> [Change] {
        var changes: [Change] = []
        for bucket in Set([self.configuration.tmpBucket, self.configuration.bucket]).sorted() {
            try await self.client.headBucket(bucket)
            if bucket == self.configuration.tmpBucket, !self.configuration.origins.isEmpty {
                changes.append(try await self.known(bucket, .cors) { try await self.cors(bucket) })
            }
            let isVersioned = (try? await self.client.bucketVersioning(bucket)).map { $0 != .never } ?? false
            changes.append(
                try await self.known(bucket, .lifecycle) { try await self.lifecycle(bucket, isVersioned: isVersioned) }
            )
            if let principals {
                let policy = BucketPolicy.rights(
                    of: bucket,
                    isVersioned: isVersioned,
                    isForIdentity: false,
                    principals: principals
                )
                changes.append(try await self.known(bucket, .policy) { try await self.policy(bucket, policy) })
            }
        }
        return changes
    }

    func apply(_ change: Change) async throws {
        guard change.state == .changed else { return }
        switch change.document {
        case .cors: try await self.client.putBucketCORS(change.bucket, rules: change.rules)
        case .lifecycle: try await self.client.putBucketLifecycle(change.bucket, rules: change.rules)
        case .policy: try await self.client.putBucketPolicy(change.bucket, json: change.after)
        }
    }

    private func known(
        _ bucket: String,
        _ document: Change.Document,
        _ body: () async throws -> Change
    ) async throws -> Change {
        do {
            return try await body()
        } catch let error as S3Error where error.code == .notImplemented || error.code == .methodNotAllowed {
            return Change(bucket: bucket, document: document, state: .unknown, reason: "\(error)")
        }
    }

    // MARK: Documents

    private func cors(_ bucket: String) async throws -> Change {
        let rules = try await self.client.bucketCORS(bucket)
        let wanted = S3CORSRule(
            id: Self.corsID,
            allowedOrigins: self.configuration.origins,
            allowedMethods: ["POST", "PUT"],
            maximumAge: .seconds(3_600)
        )
        return self.change(
            bucket,
            .cors,
            rules,
            wanted: [wanted.element],
            isOurs: { $0["ID"]?.text == Self.corsID },
            isSame: { S3CORSRule($0).isEquivalent(to: S3CORSRule($1)) },
            inOrder: { S3CORSRule($0).element }
        )
    }

    private func lifecycle(_ bucket: String, isVersioned: Bool) async throws -> Change {
        let rules = try await self.client.bucketLifecycle(bucket)
        var wanted: [S3LifecycleRule] = []
        if bucket == self.configuration.tmpBucket {
            wanted.append(
                S3LifecycleRule(
                    id: Self.tmpRuleID,
                    prefix: self.configuration.tmpPrefix + "/",
                    expirationDays: LifecycleCheck.leastDays(self.configuration) + 7,
                    noncurrentExpirationDays: isVersioned ? 1 : nil
                )
            )
        }
        let isStored = bucket == self.configuration.bucket
        // A browser's upload in parts lives as long as its form; a worker's copy may take days.
        wanted.append(
            S3LifecycleRule(
                id: Self.uploadsRuleID,
                prefix: isStored ? self.configuration.location : self.configuration.tmpPrefix + "/",
                abortDays: LifecycleCheck.leastDays(self.configuration)
            )
        )
        let ids = [Self.tmpRuleID, Self.uploadsRuleID]
        return self.change(
            bucket,
            .lifecycle,
            rules,
            wanted: wanted.map(\.element),
            isOurs: { $0["ID"].map { ids.contains($0.text) } ?? false },
            isSame: { S3LifecycleRule($0) == S3LifecycleRule($1) },
            inOrder: { S3LifecycleRule($0).element }
        )
    }

    private func policy(_ bucket: String, _ policy: BucketPolicy) async throws -> Change {
        let current = try await self.client.bucketPolicy(bucket)
        guard let (before, after) = try policy.merged(into: current) else {
            return Change(bucket: bucket, document: .policy, state: .unchanged)
        }
        return Change(bucket: bucket, document: .policy, state: .changed, before: before, after: after)
    }

    private func change(
        _ bucket: String,
        _ document: Change.Document,
        _ rules: [XMLElement],
        wanted: [XMLElement],
        isOurs: (XMLElement) -> Bool,
        isSame: (XMLElement, XMLElement) -> Bool,
        inOrder: (XMLElement) -> XMLElement
    ) -> Change {
        let ours = rules.filter(isOurs)
        let isThere = ours.count == wanted.count && wanted.allSatisfy { rule in ours.contains { isSame($0, rule) } }
        if isThere { return Change(bucket: bucket, document: document, state: .unchanged) }
        let after = rules.filter { !isOurs($0) } + wanted
        return Change(
            bucket: bucket,
            document: document,
            state: .changed,
            // Stores give the elements of a rule back in an order of their own, which is no difference.
            before: rules.map { isOurs($0) ? inOrder($0).outline : $0.outline }.joined(separator: "\n"),
            after: after.map(\.outline).joined(separator: "\n"),
            rules: after
        )
    }
}

extension XMLElement {
    /// For people: a line an element, those inside another further in.
    var outline: String { self.lines(0).joined(separator: "\n") }

    private func lines(_ depth: Int) -> [String] {
        let indent = String(repeating: "  ", count: depth)
        guard !self.children.isEmpty else { return ["\(indent)\(self.name): \(self.text)"] }
        return ["\(indent)\(self.name)"] + self.children.flatMap { $0.lines(depth + 1) }
    }
}
