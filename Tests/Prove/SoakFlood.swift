import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Postgres
import Proof
import TestEnvironment

/// The floods of a soak: half of the clients ask for inputs, the others post forms.
final class SoakFlood: Sendable {
    /// What a client waits for an answer: longer than the service itself allows any.
    private static let patience = TimeAmount.seconds(45)

    private let world: World
    private let plan: SoakPlan
    private let load: SoakLoad
    private let state = NIOLockedValueBox(SoakReport.Flood())

    init(world: World, plan: SoakPlan, load: SoakLoad) {
        self.world = world
        self.plan = plan
        self.load = load
    }

    var told: SoakReport.Flood { self.state.withLockedValue { $0 } }

    func run(since start: ContinuousClock.Instant) async throws {
        for flood in self.plan.floods {
            try await Task.sleep(until: start + .seconds(flood.lowerBound), clock: .continuous)
            say("flood       at \(Int(flood.lowerBound)) s")
            try await self.flood(until: start + .seconds(flood.upperBound))
        }
    }

    private func flood(until end: ContinuousClock.Instant) async throws {
        let before = try await self.stored()
        // On connections of its own, which end with it.
        let flood = try await Flood.with(
            clients: self.plan.clients * SoakPlan.floodFactor,
            patience: Self.patience,
            client: { number, flood in
                if number.isMultiple(of: 2) {
                    while !flood.isOver { await self.ask(flood, "inputs", ["field": World.field, "subject": "flood"]) }
                } else {
                    await self.postForms(flood, client: number)
                }
            }
        ) { flood in
            try await Task.sleep(until: end, clock: .continuous)
            return flood
        }
        let (counts, stored) = (flood.counts, try await self.stored() - before)
        for complaint in counts.complaints { self.world.heard("flood: \(complaint)") }
        self.state.withLockedValue { told in
            told.times += 1
            told.storedMeanwhile.append(stored)
            told.withoutRetryAfter += counts.unclear
            for (what, answers) in counts.answers {
                for (status, count) in answers {
                    told.answers[what, default: [:]][status.map(String.init) ?? "none", default: 0] += count
                }
            }
        }
    }

    private func stored() async throws -> Int {
        try await self.world.postgres.query("select count(*) as count from s3file.upload where state = 2")[0]["count", Int.self]
    }

    /// One form after the other, each until it is taken: what is answered 200 is enqueued, and counts with the rest in the end.
    private func postForms(_ flood: Flood, client: Int) async {
        let subject = "flood \(client)"
        let api = WebAPI(http: self.world.http, address: self.world.webAddress)
        var number = 0
        // Asked for by the usual client, which waits between two tries: what is counted here are the forms.
        guard let input = await self.load.asking({ try await api.input(subject: subject) }) else { return }
        while !flood.isOver {
            guard let form = await self.load.posted("flood-\(client)-\(number)", input) else { return }
            number += 1
            let body: [String: Any] = ["fields": [World.field], "subject": subject, "form": form, "mode": "enqueue"]
            var status: Int?
            repeat { status = await self.ask(flood, "forms", body) } while [nil, 429, 503].contains(status) && !flood.isOver
            if status == 200 { self.load.enqueued() }
        }
    }

    /// - Returns: the status; `nil` when nobody answered.
    @discardableResult
    private func ask(_ flood: Flood, _ what: String, _ body: [String: Any]) async -> Int? {
        var request = HTTPClientRequest(url: "\(self.world.webAddress)/v1/\(what)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer \(World.apiKey)")
        guard let bytes = try? JSONSerialization.data(withJSONObject: body) else { return nil }
        request.body = .bytes(ByteBuffer(data: bytes))
        return await flood.ask(what, request)?.status
    }
}
