import Foundation
import HTTPTypes
import NIOCore
@testable import S3File
@testable import S3FileHTTP
import Testing

/// What the overview says, without a database.
@Suite struct OverviewDrawingTests {
    private static let now = Date(timeIntervalSince1970: 1_795_870_931)

    private func overview(_ change: (inout Overview) -> Void = { _ in }) -> Overview {
        var overview = Overview(
            readAt: Self.now,
            queues: [
                QueueReading(queue: "default", isPaused: false, due: 0, later: 0, moving: 0, oldestSeconds: 0, isEstimated: false)
            ],
            upkeep: UpkeepReading(workers: 1, lateWorkers: 0, tmpBatches: 0, overdue: ["reap": -1], now: Self.now),
            rates: Overview.Rates(
                stored: Array(repeating: 0, count: 10),
                failed: Array(repeating: 0, count: 10),
                covers: 600,
                sampled: 0
            ),
            failures: [],
            buckets: [Overview.BucketReading(bucket: "media", refusedBy: 0, slowedFor: 0)],
            workers: [
                Overview.WorkerReading(
                    id: 7,
                    host: "one",
                    pid: 1,
                    version: "0",
                    isDraining: false,
                    moving: 0,
                    startedAt: Self.now,
                    seenAt: Self.now,
                    expiresAt: Self.now.addingTimeInterval(10)
                )
            ]
        )
        change(&overview)
        return overview
    }

    @Test func `when nothing is wrong it says that all is well, and offers nothing to press to who may not`() {
        let html = OverviewDrawing(overview: self.overview(), mayChange: false).html.text
        #expect(self.overview().concerns == [])
        #expect(html.contains("All is well") && html.contains("Takes what it is sent."))
        #expect(!html.contains("<form") && !html.contains("<button"))
    }

    @Test func `whatever needs somebody is said first, with the way to its table`() {
        let overview = self.overview { overview in
            overview.queues[0].due = 1_204
            overview.queues[0].oldestSeconds = 3_900
            overview.queues.append(
                QueueReading(queue: "slow", isPaused: true, due: 1, later: 0, moving: 0, oldestSeconds: 1, isEstimated: false)
            )
            overview.workers[0].expiresAt = Self.now.addingTimeInterval(-1)
            overview.workers[0].seenAt = Self.now.addingTimeInterval(-16)
            overview.buckets = [
                Overview.BucketReading(
                    bucket: "private",
                    refusedBy: 2,
                    refusedSince: Self.now,
                    code: "AccessDenied",
                    slowedFor: 0
                ),
                Overview.BucketReading(bucket: "busy", refusedBy: 0, slowedFor: 1, limit: 4, most: 32),
            ]
            overview.upkeep.overdue = ["sweep": 7_200]
        }
        #expect(
            overview.concerns.map(\.sentence) == [
                "No worker runs, and 1,204 uploads are due.",
                "Bucket private refuses 2 workers: AccessDenied.",
                "The oldest upload in queue default has been due for 1 h 5 min.",
                "Queue slow is paused, and 1 upload waits in it.",
                "Bucket busy asked for fewer requests.",
                "Worker 7 on one has not been heard of for 16 s.",
                "The upkeep is late: “sweep” has been due for 2 h.",
            ]
        )
        let html = OverviewDrawing(overview: overview, mayChange: true).html.text
        #expect(html.contains("7 things need a look"))
        #expect(html.contains("4 at a time by now, after 32."))
        for table in Set(overview.concerns.map(\.table)) { #expect(html.contains("id=\"\(table)\""), "\(table)") }
    }

    @Test func `names and messages of any kind are text, and nothing else`() {
        let hostile = "</table><script>alert('1')</script>\"&\u{202E}"
        let overview = self.overview { overview in
            overview.queues[0].queue = hostile
            overview.workers[0].host = hostile
            overview.workers[0].version = hostile
            overview.workers[0].queues = [hostile]
            overview.buckets = [Overview.BucketReading(bucket: hostile, refusedBy: 1, code: hostile, slowedFor: 0)]
            overview.failures = [
                Overview.FailureGroup(
                    code: hostile,
                    failed: 1,
                    trying: 0,
                    isWhole: true,
                    newest: UUID(),
                    newestAt: Self.now,
                    message: hostile,
                    isRetryable: false
                )
            ]
        }
        let html = OverviewDrawing(overview: overview, mayChange: true).html.text
        #expect(!html.contains("<script") && !html.contains("</table><"))
        #expect(html.contains("&lt;/table&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"))
    }

    @Test func `an event is one line of JSON, whatever is in it`() throws {
        let overview = self.overview { $0.workers[0].host = "a\r\n\r\nevent: away\rdata: x" }
        let event = String(buffer: try DrawnOverviews().event(overview, number: 1, mayChange: false))
        let lines = event.split(omittingEmptySubsequences: false) { $0.isNewline }
        #expect(
            lines.count == 4 && lines[0] == "event: overview" && lines[1].hasPrefix("data: {") && lines[2] == "" && lines[3] == ""
        )
    }

    @Test func `what is drawn for one who may not change anything is never given to who may, nor the other way round`() throws {
        let drawn = DrawnOverviews()
        for mayChange in [true, false, true] {
            let event = String(buffer: try drawn.event(self.overview(), number: 1, mayChange: mayChange))
            #expect(event.contains("queues") && event.contains("<button") == mayChange)
        }
    }
}

@Suite struct DashboardFieldsTests {
    private func query(_ text: String) throws(Problem) -> DashboardFields {
        try DashboardFields(
            query: DashboardRequest(head: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/admin/uploads?\(text)"))
        )
    }

    @Test func `fields are read strictly, and an empty one is none`() throws {
        let fields = try self.query("q=a%2Fb+c&status=failed&queue=&unknown=x&after=01890a5d-ac96-774b-bcce-b302099a8057")
        #expect(fields["q"] == "a/b c" && fields["queue"] == nil)
        #expect(try fields.status("status") == .failed)
        #expect(try fields.id("after") != nil)
    }

    @Test(arguments: [
        "q=%00", "q=a%0Ab", "q=%FF", "q=%C3%28", "q=%", "q=%zz", "q=1&q=2", "status=1&status=1",
        "q=" + String(repeating: "x", count: 1_025),
        "q=" + String(repeating: "x", count: 9_000), String(repeating: "a=1&", count: 40),
    ])
    func `what is too long, no UTF-8, escaped wrongly, repeated or holds control characters is refused`(text: String) {
        let problem = #expect(throws: Problem.self) { try self.query(text) }
        #expect(problem?.status == .badRequest)
    }

    @Test(arguments: ["after=x", "after=01890a5dac96774bbcceb302099a8057", "after=%7B01890a5d-ac96-774b-bcce-b302099a8057%7D"])
    func `an id is 36 characters and nothing else`(text: String) throws {
        let fields = try self.query(text)
        #expect(throws: Problem.self) { try fields.id("after") }
    }

    @Test func `a status that there is not is refused`() throws {
        let fields = try self.query("status=lost")
        #expect(throws: Problem.self) { try fields.status("status") }
    }
}
