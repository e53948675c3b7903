import Logging
import NIOConcurrencyHelpers

/// Whether Postgres answers, and has the tables that this version works with: asked every few seconds, so that who asks this waits for nothing.
package final class DatabaseHealth: Sendable {
    static let interval = Duration.seconds(5)
    /// Without an answer for so long it is not there.
    static let patience = Duration.seconds(15)

    private struct State {
        var answeredAt: ContinuousClock.Instant?
        var schema: String?
        var isStopping = false
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// Until cancelled.
    func keepAsking(_ backend: any UploadBackend) async {
        repeat {
            do {
                try await backend.checkSchema()
                self.answered()
            } catch let error as SchemaError {
                self.answered(schema: error)
            } catch {
                // What is silent for long enough is away.
            }
        } while (try? await Task.sleep(for: Self.interval * Double.random(in: 0.8...1.2))) != nil
    }

    /// Postgres has answered somebody.
    package func answered(schema error: SchemaError? = nil) {
        self.state.withLockedValue { state in
            state.answeredAt = .now
            state.schema = error.map { "\($0)" }
        }
    }

    package func stop() {
        self.state.withLockedValue { $0.isStopping = true }
    }

    package func checks(now: ContinuousClock.Instant = .now) -> [HealthReport.Check] {
        let state = self.state.withLockedValue { $0 }
        let isAnswering = state.answeredAt.map { now - $0 <= Self.patience } ?? false
        return [
            .init(
                "database",
                failure: isAnswering ? nil : "Postgres has not answered for \(Self.patience.components.seconds) seconds."
            ),
            .init("schema", failure: state.schema),
            .init("stopping", failure: state.isStopping ? "The process is ending." : nil),
        ]
    }
}
