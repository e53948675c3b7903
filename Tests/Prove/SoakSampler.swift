import Foundation
import NIOConcurrencyHelpers
import Postgres
import Proof

/// Looks at the processes and at Postgres every few seconds.
final class SoakSampler: Sendable {
    private struct State {
        /// In the order in which they were first seen.
        var series: [SoakSeries] = []
        var places: [String: Int] = [:]
        var processes: [String: Int32] = [:]
        var ended: [String: Int] = [:]
    }

    private let world: World
    private let state = NIOLockedValueBox(State())

    init(world: World) {
        self.world = world
    }

    var series: [SoakSeries] { self.state.withLockedValue { $0.series } }
    /// Processes that were followed by another, or by none.
    var ended: [String: Int] { self.state.withLockedValue { $0.ended } }

    func run(since start: ContinuousClock.Instant, until end: ContinuousClock.Instant, every interval: Duration) async throws {
        var next = start
        while next < end {
            try await Task.sleep(until: next, clock: .continuous)
            try await self.sample((ContinuousClock.now - start) / .seconds(1))
            next += interval
        }
    }

    private func sample(_ second: Double) async throws {
        for slot in [self.world.web] + self.world.workers {
            self.note(slot, second)
        }
        // The harness itself is not what is tested.
        let own = self.process(ProcessInfo.processInfo.processIdentifier)
        self.note("prove: MiB of memory", .other, own.map { $0.memory / 1_048_576 }, second)
        try await self.sampleRecord(second)
    }

    private func note(_ slot: Slot, _ second: Double) {
        let process = slot.process.processIdentifier
        self.state.withLockedValue { state in
            if let before = state.processes[slot.name], before != process { state.ended[slot.name, default: 0] += 1 }
            state.processes[slot.name] = process
        }
        let found = process.flatMap(self.process)
        self.note("\(slot.name): memory", .memory, found?.memory, second)
        self.note("\(slot.name): descriptors", .count, found?.descriptors, second)
        self.note("\(slot.name): threads", .threads, found?.threads, second)
    }

    private func note(_ name: String, _ measure: SoakSeries.Measure, _ value: Double?, _ second: Double) {
        guard let value else { return }
        self.state.withLockedValue { state in
            let place = state.places[name] ?? state.series.count
            if place == state.series.count {
                state.places[name] = place
                state.series.append(SoakSeries(name, measure))
            }
            state.series[place].points.append(SoakSeries.Point(second: second, value: value))
        }
    }

    // MARK: Processes

    /// As the kernel tells: <https://docs.kernel.org/filesystems/proc.html>
    private func process(_ identifier: Int32) -> (memory: Double, descriptors: Double, threads: Double)? {
        let folder = "/proc/\(identifier)"
        guard let status = try? String(contentsOfFile: folder + "/status", encoding: .utf8),
            let descriptors = try? FileManager.default.contentsOfDirectory(atPath: folder + "/fd").count
        else { return nil }
        func number(_ name: String) -> Double? {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
                .flatMap { Double($0.dropFirst(name.count + 1).filter(\.isNumber)) }
        }
        guard let memory = number("VmRSS"), let threads = number("Threads") else { return nil }
        return (memory * 1_024, Double(descriptors), threads)
    }

    // MARK: The record

    private func sampleRecord(_ second: Double) async throws {
        let connections = try await self.world.postgres.query(
            """
            select application_name as name, count(*) as count from pg_stat_activity
             where datname = current_database() and backend_type = 'client backend' group by 1 order by 1
            """
        )
        for row in connections {
            let name = try row["name", String.self]
            // Those of this program are not what is tested.
            let measure = name == "prove" ? SoakSeries.Measure.other : .connections
            self.note("postgres: connections of \(name)", measure, Double(try row["count", Int.self]), second)
        }
        let row = try await self.world.postgres.query(
            """
            select (select count(*) from s3file.job where worker is null) as waiting,
                   (select count(*) from s3file.upload where state = 2) as stored,
                   pg_database_size(current_database()) as size
            """
        )[0]
        self.note(SoakSeries.jobsThatWait, .other, Double(try row["waiting", Int.self]), second)
        self.note("uploads stored", .other, Double(try row["stored", Int.self]), second)
        // Grows by what it keeps; for how long is S3FILE_RETENTION_…'s to say.
        self.note("postgres: MiB of the database", .other, Double(try row["size", Int.self]) / 1_048_576, second)
    }
}
