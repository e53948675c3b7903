import Foundation
@testable import S3File
@testable import S3FileHTTP
import Testing

@Suite struct StatusReplayTests {
    private let first = UUID()
    private let second = UUID()

    private func upload(_ id: UUID, _ status: UploadStatus, _ attempt: Int) -> Upload {
        Upload(
            id: id,
            status: status,
            field: "docs",
            filename: "report.pdf",
            size: 3,
            contentType: "application/pdf",
            bucket: "media",
            key: "docs/report.pdf",
            attempt: attempt,
            maxAttempts: 12,
            progress: Upload.Progress(copied: status == .stored ? 3 : 0, total: 3),
            error: status == .failed ? Upload.Failure(code: "x", message: "X.", retryable: false) : nil,
            createdAt: Date(timeIntervalSince1970: 0),
            updatedAt: Date(timeIntervalSince1970: 100),
            storedAt: status == .stored ? Date(timeIntervalSince1970: 100) : nil
        )
    }

    private func event(_ number: Int64, _ id: UUID, _ status: UploadStatus, _ attempt: Int) -> UploadEvent {
        UploadEvent(id: number, at: Date(timeIntervalSince1970: Double(number)), uploadID: id, status: status, attempt: attempt)
    }

    /// `1 moving 1`: of which upload, and how it stands.
    private func told(_ replay: StatusReplay) -> [String] {
        replay.entries.map(\.upload).map { "\($0.id == self.first ? 1 : 2) \($0.status) \($0.attempt)" }
    }

    @Test func `who comes anew is told how things stand, in the order asked`() {
        let uploads = [self.upload(self.first, .stored, 2), self.upload(self.second, .queued, 0)]
        let events = [self.event(1, self.first, .moving, 1)]
        let replay = StatusReplay(order: [self.first, self.second], uploads: uploads, events: events, last: nil)
        #expect(self.told(replay) == ["1 stored 2", "2 queued 0"])
    }

    @Test func `who comes back is told what it missed, in the order in which it happened, and then how things stand`() {
        let uploads = [self.upload(self.first, .stored, 2), self.upload(self.second, .failed, 1)]
        let events = [
            self.event(5, self.first, .moving, 1), self.event(6, self.second, .moving, 1), self.event(7, self.first, .queued, 1),
            self.event(8, self.second, .failed, 1), self.event(9, self.first, .moving, 2), self.event(10, self.first, .stored, 2),
        ]
        let last = LastEventID(position: 4, told: [.init(status: .queued, attempt: 0), .init(status: .queued, attempt: 0)])
        let replay = StatusReplay(order: [self.first, self.second], uploads: uploads, events: events, last: last)
        #expect(self.told(replay) == ["1 moving 1", "2 moving 1", "1 queued 1", "1 moving 2", "1 stored 2", "2 failed 1"])
        // What it was like then, and not what came of it.
        let told = replay.entries.map(\.upload)
        #expect(told[0].storedAt == nil && told[0].updatedAt == Date(timeIntervalSince1970: 5))
        #expect(told[0].progress.copied == 0 && told[1].error == nil)
        #expect(told[4].storedAt != nil && told[5].error != nil)
        // Who hears no more than the first of these is told the others when it comes again.
        #expect(replay.entries.map(\.position) == [4, 5, 6, 8, nil, nil])
    }

    @Test func `nothing is told twice, and nothing goes back, when the position is behind what was told`() {
        let uploads = [self.upload(self.first, .stored, 1), self.upload(self.second, .moving, 2)]
        let events = [
            self.event(5, self.first, .moving, 1), self.event(6, self.first, .stored, 1),
            self.event(7, self.second, .moving, 1), self.event(8, self.second, .queued, 1),
            self.event(9, self.second, .moving, 2),
        ]
        let last = LastEventID(position: 4, told: [.init(status: .stored, attempt: 1), .init(status: .moving, attempt: 1)])
        let replay = StatusReplay(order: [self.first, self.second], uploads: uploads, events: events, last: last)
        #expect(self.told(replay) == ["2 queued 1", "2 moving 2"])
    }

    @Test func `who knows all is told nothing, but how far a copy is`() {
        let stored = [self.upload(self.first, .stored, 1)]
        let last = LastEventID(position: 4, told: [.init(status: .stored, attempt: 1)])
        #expect(StatusReplay(order: [self.first], uploads: stored, events: [], last: last).isEmpty)
        let moving = [self.upload(self.first, .moving, 1)]
        let again = LastEventID(position: 4, told: [.init(status: .moving, attempt: 1)])
        #expect(self.told(StatusReplay(order: [self.first], uploads: moving, events: [], last: again)) == ["1 moving 1"])
    }

    @Test func `an upload that was not told before is told as it stands, also to who comes back`() {
        let uploads = [self.upload(self.first, .stored, 1), self.upload(self.second, .stored, 1)]
        let events = [self.event(5, self.second, .moving, 1), self.event(6, self.second, .stored, 1)]
        let last = LastEventID(position: 4, told: [.init(status: .stored, attempt: 1), nil])
        let replay = StatusReplay(order: [self.first, self.second], uploads: uploads, events: events, last: last)
        #expect(self.told(replay) == ["2 stored 1"])
    }
}
