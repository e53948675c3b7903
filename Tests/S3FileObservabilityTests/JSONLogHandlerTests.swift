import Foundation
import Logging
import S3FileObservability
import Synchronization
import Testing

@Suite struct JSONLogHandlerTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private func logged(_ log: (inout Logger) -> Void) throws -> [[String: Any]] {
        let lines = Lines()
        var logger = Logger(label: "s3file") { label in
            JSONLogHandler(label: label) { line in lines.all.withLock { $0.append(line) } }
        }
        log(&logger)
        return try lines.all.withLock { $0 }.map { line in
            #expect(line.hasSuffix("}\n") && !line.dropLast().contains("\n"))
            return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    @Test func `a line is one JSON object with time, level, logger, message and metadata`() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "broken" } }
        let lines = try self.logged { logger in
            logger[metadataKey: "worker"] = "7"
            logger.info("Upload stored", metadata: ["upload": "u", "list": ["a", ["k": "v"]], "number": .stringConvertible(5)])
            logger.error("It failed", error: Broken())
            logger.debug("not this")
        }
        #expect(lines.count == 2)
        let first = try #require(lines.first)
        #expect(first["level"] as? String == "info" && first["logger"] as? String == "s3file")
        #expect(first["message"] as? String == "Upload stored")
        let metadata = try #require(first["metadata"] as? [String: Any])
        #expect(metadata["worker"] as? String == "7" && metadata["number"] as? String == "5")
        #expect((metadata["list"] as? [Any])?[0] as? String == "a")
        #expect(((metadata["list"] as? [Any])?[1] as? [String: String]) == ["k": "v"])
        let time = try #require(first["time"] as? String)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(time)")
        #expect(lines[1]["error"] as? String == "broken" && lines[1]["level"] as? String == "error")
    }

    @Test func `whatever stands in a message, the line stays one line of JSON and says the same`() throws {
        let hostile = "\u{0}\u{1F}\"\\/\n\r\t\u{7F}\u{2028}\u{2029}é文👩🏽‍💻\u{FFFD}"
        let line = try #require(
            try self.logged { $0.info("\(hostile)", metadata: ["\(hostile)": "\(hostile)"]) }.first
        )
        #expect(line["message"] as? String == hostile)
        #expect((line["metadata"] as? [String: String])?[hostile] == hostile)
    }
}
