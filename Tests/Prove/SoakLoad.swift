import Foundation
import NIOConcurrencyHelpers
import Proof

/// The usual load: clients that ask for an input, post a file to the store, post the form, and begin again.
final class SoakLoad: Sendable {
    private static let pause = Duration.milliseconds(200)
    /// Of one request, after which something must be wrong.
    private static let tries = 300

    private let api: WebAPI
    private let state = NIOLockedValueBox((told: SoakReport.Load(), isHeldBack: false))

    init(api: WebAPI) {
        self.api = api
    }

    /// Whether enough waits for workers, and clients shall begin nothing new.
    var isHeldBack: Bool {
        get { self.state.withLockedValue { $0.isHeldBack } }
        set { self.state.withLockedValue { $0.isHeldBack = newValue } }
    }

    var told: SoakReport.Load { self.state.withLockedValue { $0.told } }

    func enqueued() {
        self.state.withLockedValue { $0.told.enqueued += 1 }
    }

    func run(client: Int, until end: ContinuousClock.Instant) async {
        var number = 0
        while ContinuousClock.now < end, !Task.isCancelled {
            guard !self.isHeldBack else {
                try? await Task.sleep(for: .milliseconds(50))
                continue
            }
            await self.upload("\(client)-\(number)", subject: "person \(client)")
            number += 1
        }
    }

    private func upload(_ name: String, subject: String) async {
        guard let input = await self.asking({ try await self.api.input(subject: subject) }) else { return }
        guard let form = await self.posted(name, input) else { return }
        if await self.asking({ try await self.api.enqueue(form, subject: subject) }) != nil { self.enqueued() }
    }

    /// Puts a file where the input says, and returns the form that a page would post then.
    func posted(_ name: String, _ input: WebAPI.Input) async -> [[String]]? {
        let key = "\(input.folder)/\(name)"
        let bytes = Self.bytes(named: name)
        let isThere: Void? = await self.asking {
            try await self.api.postFile(input, key: key, bytes: bytes, contentType: "application/vnd.prove")
        }
        guard isThere != nil else { return nil }
        return [
            ["s3file", World.field], ["\(World.field)-s3f-signature", input.ticket], [World.field, key],
            ["\(World.field)-s3f-name", "f\(name).bin"],
        ]
    }

    /// Mostly a kibibyte; now and then nothing, more, or so much that it is copied in parts.
    private static func bytes(named name: String) -> [UInt8] {
        let size =
            switch Int.random(in: 0..<2_000) {
            case ..<40: 0
            case 40: ProofPlan.largestCopy + 1
            case ..<140: Int.random(in: 1...64 << 10)
            default: 1_024
            }
        var bytes = [UInt8](repeating: UInt8.random(in: 0...255), count: size)
        for (index, byte) in name.utf8.prefix(size).enumerated() { bytes[index] = byte }
        return bytes
    }

    // MARK: Asking again

    func asking<R>(_ ask: () async throws -> R) async -> R? {
        for _ in 0..<Self.tries {
            do {
                return try await ask()
            } catch let refused as WebAPI.Refused {
                self.state.withLockedValue { $0.told.refused[refused.code, default: 0] += 1 }
                return nil
            } catch is CancellationError {
                return nil
            } catch {
                self.state.withLockedValue { $0.told.repeated += 1 }
                guard (try? await Task.sleep(for: Self.pause)) != nil else { return nil }
            }
        }
        self.state.withLockedValue { $0.told.refused["nobody, \(Self.tries) times", default: 0] += 1 }
        return nil
    }
}
