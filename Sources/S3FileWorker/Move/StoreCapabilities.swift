import Logging
import S3
import S3File

/// What the store honours between two buckets: asked with real objects, by one for all that need it, remembered, and asked anew in time.
actor StoreCapabilities {
    private struct Buckets: Hashable {
        var source: String
        var destination: String
    }

    private struct Answer {
        var capabilities: S3Capabilities
        var goodUntil: ContinuousClock.Instant
    }

    /// A store that is upgraded is found out in that time.
    static let lifetime = Duration.seconds(3600)
    /// After a probe that failed nothing is relied on, for so long.
    static let pause = Duration.seconds(30)
    /// Jobs name their buckets, and whoever may enqueue may name any.
    private static let most = 1_000

    private let s3: S3Client
    private let prefix: String
    private let logger: Logger
    private let bell = Doorbell()
    private var answers: [Buckets: Answer] = [:]
    private var waiting: [Buckets: [CheckedContinuation<S3Capabilities, Never>]] = [:]
    /// What ``keepCurrent(from:to:)`` is to ask.
    private var wanted: Set<Buckets> = []

    init(s3: S3Client, prefix: String, logger: Logger) {
        self.s3 = s3
        self.prefix = prefix
        self.logger = logger
    }

    /// Asks for these two buckets now, for others when they are wanted, and for all again before an answer ends, until it is cancelled.
    func keepCurrent(from source: String, to destination: String) async {
        self.want(Buckets(source: source, destination: destination))
        while !Task.isCancelled {
            let soon = ContinuousClock.now + Self.pause
            for buckets in self.wanted where self.answers[buckets].map({ $0.goodUntil <= soon }) ?? true {
                guard !Task.isCancelled else { return }
                await self.renew(buckets)
            }
            await self.bell.wait(until: .now + Self.pause * Double.random(in: 0.5...0.8))
        }
    }

    /// What is known already, perhaps nothing: whoever needs no answer does not wait for one.
    func known(from source: String, to destination: String) -> S3Capabilities? {
        let buckets = Buckets(source: source, destination: destination)
        if let answer = self.answers[buckets], answer.goodUntil > .now { return answer.capabilities }
        if self.want(buckets) { self.bell.ring() }
        return nil
    }

    /// What is known of a source, whatever the destination; asks, if nobody has, and waits for the answer.
    func capabilities(ofSource source: String) async -> S3Capabilities {
        if let answer = self.answers.first(where: { $0.key.source == source }) { return answer.value.capabilities }
        return await self.renew(self.wanted.first { $0.source == source } ?? Buckets(source: source, destination: source))
    }

    /// Asks, if nobody has, and waits for the answer.
    func capabilities(from source: String, to destination: String) async -> S3Capabilities {
        let buckets = Buckets(source: source, destination: destination)
        if let answer = self.answers[buckets], answer.goodUntil > .now { return answer.capabilities }
        return await self.renew(buckets)
    }

    /// - Returns: whether it is news.
    @discardableResult
    private func want(_ buckets: Buckets) -> Bool {
        if self.wanted.count >= Self.most { self.wanted.removeAll() }
        return self.wanted.insert(buckets).inserted
    }

    @discardableResult
    private func renew(_ buckets: Buckets) async -> S3Capabilities {
        if self.waiting[buckets] != nil {
            return await withCheckedContinuation { self.waiting[buckets]?.append($0) }
        }
        self.waiting[buckets] = []
        let answer = await self.ask(buckets)
        if self.answers.count >= Self.most { self.answers.removeAll() }
        self.answers[buckets] = answer
        for waiter in self.waiting.removeValue(forKey: buckets) ?? [] { waiter.resume(returning: answer.capabilities) }
        return answer.capabilities
    }

    private func ask(_ buckets: Buckets) async -> Answer {
        let probe = S3CapabilityProbe(
            client: self.s3,
            sourceBucket: buckets.source,
            bucket: buckets.destination,
            prefix: self.prefix
        )
        do {
            let capabilities = try await probe.run()
            self.logger.info(
                "The store was asked what it honours",
                metadata: ["from": "\(buckets.source)", "to": "\(buckets.destination)", "honours": "\(capabilities)"]
            )
            return Answer(capabilities: capabilities, goodUntil: .now + Self.lifetime)
        } catch {
            // What was seen before is truer than nothing. What the credentials may not do they may not do in a while either.
            let known = self.answers[buckets]?.capabilities ?? S3Capabilities()
            guard !Task.isCancelled else { return Answer(capabilities: known, goodUntil: .now) }
            self.logger.warning(
                "The store could not be asked what it honours; nothing is relied on that was not seen before",
                metadata: ["from": "\(buckets.source)", "to": "\(buckets.destination)", "error": "\(error)"]
            )
            let isRefused = (error as? S3Error).map { !$0.retryable } ?? false
            return Answer(capabilities: known, goodUntil: .now + (isRefused ? Self.lifetime : Self.pause))
        }
    }
}
