import Foundation
import FuzzInvariants
import Testing

/// Every input that was worth keeping, and what comes of small changes to them, the same ones in each run.
@Suite("Readers of bytes from anywhere", .timeLimit(.minutes(5)))
struct CorpusTests {
    static func corpus(_ reader: FuzzedReader) throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus/\(reader.rawValue)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }

    @Test("The corpus holds what must hold", arguments: FuzzedReader.allCases)
    func replay(reader: FuzzedReader) throws {
        let corpus = try Self.corpus(reader)
        #expect(corpus.count >= 4)
        for (name, bytes) in corpus {
            #expect(throws: Never.self, "\(name)") { try reader.check(bytes) }
        }
    }

    @Test("Mutations of the corpus hold it, too", arguments: FuzzedReader.allCases)
    func mutations(reader: FuzzedReader) throws {
        let corpus = try Self.corpus(reader).map(\.bytes)
        var mutation = Mutation(seed: 0x5EED)
        // More for a night: S3FILE_FUZZ_ROUNDS=1000000 swift test --filter FuzzTests
        let rounds = ProcessInfo.processInfo.environment["S3FILE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 1500
        for round in 0..<rounds {
            let bytes = mutation.next(of: corpus)
            #expect(throws: Never.self, "round \(round): \(Data(bytes).base64EncodedString())") { try reader.check(bytes) }
        }
    }
}
