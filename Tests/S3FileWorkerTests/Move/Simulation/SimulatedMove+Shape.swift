import Foundation
import Proof

@testable import S3
@testable import S3FileWorker

extension SimulatedMove {
    /// What a run is made of, drawn from its seed before it begins.
    struct Shape {
        var traits: SimulatedStore.Traits
        /// What the mover is told that the store honours.
        var told: S3Capabilities
        var size: Int64
        var copyLimit: Int64
        var isPostedInParts: Bool
        var prepares: Bool
        /// Of a thousand requests.
        var failureRate: Int
        /// Of a thousand requests, at so many the process is stopped between the look at its lease and the sending.
        var stopRate: Int
        var reposts: [(Duration, content: Int, size: Int64)] = []
        /// Nil for never.
        var strangerComes: Duration?
        /// Whether the store itself keeps strangers' objects and stored ones from being overwritten.
        var isDestinationFenced: Bool
        /// Whether the store itself copies nothing but the verified bytes.
        var isSourceFenced: Bool
        /// Whether a copy may arrive after others have taken the upload over. Where the store looks at no source, one that does may bring other
        /// bytes, and nobody but it could prevent that.
        var mayBeLate: Bool

        init(_ flaw: Flaw?, using generator: inout SeededGenerator) {
            func happens(_ ofThousand: Int) -> Bool { Int.random(in: 0..<1_000, using: &generator) < ofThousand }
            var honoured = S3Capabilities()
            if !happens(150) {
                honoured.copySourceIfMatch = happens(600)
                honoured.partCopySourceIfMatch = happens(600)
                honoured.copyIfNoneMatch = happens(600)
                honoured.completeIfNoneMatch = happens(600)
                honoured.deleteIfMatch = happens(500)
                honoured.batchDeleteIfMatch = happens(500)
                honoured.sourceVersions = happens(200)
                honoured.checksums = happens(400)
            }
            // Where the store itself prevents what they do, a flaw does not show.
            if [.ignoresLease, .trustsConditionsOnTheSource, .trustsConditionsOnTheDestination].contains(flaw) {
                honoured = S3Capabilities()
            }
            self.told = honoured
            if flaw == .trustsConditionsOnTheSource {
                self.told.copySourceIfMatch = true
                self.told.partCopySourceIfMatch = true
            }
            if flaw == .trustsConditionsOnTheDestination {
                self.told.copyIfNoneMatch = true
                self.told.completeIfNoneMatch = true
            }
            let isLarge = happens(400)
            self.size = isLarge ? 12 << 20 : happens(100) ? 0 : 10
            self.copyLimit = isLarge && happens(300) ? 5_000_000_000 : 5 << 20
            self.traits = SimulatedStore.Traits(
                honoured: honoured,
                etagsAreDigests: happens(700),
                copyLimit: isLarge ? 8 << 20 : 5_000_000_000,
                tellsCompletedETag: happens(800)
            )
            self.isPostedInParts = isLarge && happens(500)
            self.prepares = happens(500)
            self.failureRate = Int.random(in: 0...250, using: &generator)
            self.stopRate = Int.random(in: 0...100, using: &generator)
            self.isSourceFenced =
                self.told.sourceVersions || (isLarge ? self.told.partCopySourceIfMatch : self.told.copySourceIfMatch)
            self.isDestinationFenced = isLarge ? self.told.completeIfNoneMatch : self.told.copyIfNoneMatch
            if happens(400) {
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let isSame = happens(400)
                    self.reposts.append(
                        (
                            .milliseconds(Int.random(in: 0..<(happens(500) ? 1_000 : 60_000), using: &generator)),
                            content: isSame ? 1 : Int.random(in: 2...3, using: &generator),
                            size: isSame || happens(700) ? self.size : self.size + 1
                        )
                    )
                }
            }
            if flaw == .ignoresLease {
                let later = Duration.milliseconds(Int.random(in: 15_000..<60_000, using: &generator))
                self.reposts.append((later, content: 2, size: self.size))
            }
            self.mayBeLate = self.isSourceFenced || self.reposts.allSatisfy { $0.content == 1 }
            if happens(200) {
                self.strangerComes =
                    self.isDestinationFenced ? .milliseconds(Int.random(in: 0..<30_000, using: &generator)) : .zero
            }
        }
    }
}
