import Foundation
import FuzzInvariants
import Testing

/// Every input that was worth keeping, and what comes of small changes to them, the same ones in each run.
@Suite("Readers of bytes from anywhere")
struct CorpusTests {
    static func corpus(_ reader: FuzzedReader) throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus/\(reader.rawValue)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }

    @Test("The corpus holds what must hold", .timeLimit(.minutes(5)), arguments: FuzzedReader.allCases)
    func replay(reader: FuzzedReader) throws {
        let corpus = try Self.corpus(reader)
        #expect(corpus.count >= 4)
        for (name, bytes) in corpus {
            #expect(throws: Never.self, "\(name)") { try reader.check(bytes) }
        }
    }

    @Test("Mutations of the corpus hold it, too", .timeLimit(.minutes(5)), arguments: FuzzedReader.allCases)
    func mutations(reader: FuzzedReader) async throws {
        let corpus = try Self.corpus(reader).map(\.bytes)
        var mutation = Mutation(seed: 0x5EED)
        for round in 0..<1500 {
            let bytes = mutation.next(of: corpus)
            #expect(throws: Never.self, "round \(round): \(Data(bytes).base64EncodedString())") { try reader.check(bytes) }
            // Other tests have threads to wait for, and not long.
            await Task.yield()
        }
    }

    /// S3FILE_FUZZ_SECONDS=600 swift test --filter FuzzTests
    private static let seconds = ProcessInfo.processInfo.environment["S3FILE_FUZZ_SECONDS"].flatMap { Int($0) }

    @Test(
        "Mutations that nobody has seen before hold it, for as long as S3FILE_FUZZ_SECONDS says",
        .enabled(if: Self.seconds != nil),
        .timeLimit(.minutes(90)),
        arguments: FuzzedReader.allCases
    )
    func unseenMutations(reader: FuzzedReader) async throws {
        let corpus = try Self.corpus(reader).map(\.bytes)
        let seed = UInt64.random(in: 0 ... .max)
        var mutation = Mutation(seed: seed)
        let end = ContinuousClock.now + .seconds(try #require(Self.seconds))
        var round = 0
        while ContinuousClock.now < end {
            let bytes = mutation.next(of: corpus)
            // What is wrong is told with the input that shows it, which belongs into the corpus.
            do { try reader.check(bytes) } catch {
                Issue.record("\(error): seed \(seed), round \(round), \(Data(bytes).base64EncodedString())")
                return
            }
            round += 1
            await Task.yield()
        }
        print("fuzzed \(reader.rawValue) from seed \(seed): \(round) inputs")
    }
}
