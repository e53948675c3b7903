import Foundation
import NIOConcurrencyHelpers
import S3
@testable import S3File
import S3FileHTTP
import TestEnvironment
import Testing

/// The most memory this process ever had, in kilobytes.
private func peakMemory() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
}

@Suite("Memory of files that come through the app", .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/status")))
struct StreamMemoryTests {
    /// `S3FILE_STREAMED_MEGABYTES=2000` for the figure of a large one.
    @Test func `hundreds of megabytes, and a file without an end, leave it as it was`() async throws {
        // In a process of its own, whose memory no other test grows.
        let result = try await ExitTests.turn.take {
            await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
                let megabytes = ProcessInfo.processInfo.environment["S3FILE_STREAMED_MEGABYTES"].flatMap { Int64($0) } ?? 256
                // Whatever goes wrong is said: a trap would tell nobody why.
                do {
                    try await withSite { site async throws in
                        let field = UploadField("documents", uploadTo: "documents/", maximumSize: .gigabytes(5))
                        let intake = site.intake(fields: [field])
                        _ = try await intake.take(ZeroBody(size: 20 << 20))
                        let before = peakMemory()
                        let start = ContinuousClock.now
                        guard case .taken(let form) = try await intake.take(ZeroBody(size: megabytes * 1_000_000)) else {
                            return print("the large file was refused")
                        }
                        let time = ContinuousClock.now - start
                        let streamed = peakMemory() - before
                        let size = form.uploads["documents"].first?.size
                        let endless = ZeroBody(size: nil)
                        let small = UploadField("documents", uploadTo: "documents/", maximumSize: .megabytes(megabytes))
                        let refusal = try await site.intake(fields: [small]).take(endless).refusal
                        let ended = peakMemory() - before
                        print(
                            """
                            streamed \(megabytes) MB in \(time): peak memory grew by \(streamed) kB over \(before) kB; an endless file was \
                            refused after \(endless.taken.withLockedValue { $0 } / 1_000_000) MB: \(ended) kB
                            """
                        )
                        if before > 0, ended < 64_000, size == megabytes * 1_000_000, refusal?.status == 413 {
                            print("all is well")
                        }
                    }
                } catch { print("it failed: \(error)") }
            }
        }
        let said = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
        #expect(said.contains("all is well"), "\(said)")
        print(said.split(separator: "\n").last { $0.hasPrefix("streamed") } ?? "")
    }
}
