import Logging
import NIOConcurrencyHelpers

/// Everything that is logged, from trace on.
final class LogRecorder: Sendable {
    private let recorded = NIOLockedValueBox<[String]>([])

    var lines: [String] { self.recorded.withLockedValue { $0 } }

    var logger: Logger {
        var logger = Logger(label: "observed") { _ in Handler(recorder: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
            let error = event.error.map { String(reflecting: $0) } ?? ""
            self.recorder.recorded.withLockedValue { $0.append("\(event.level) \(event.message) \(metadata) \(error)") }
        }
    }
}
