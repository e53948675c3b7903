import Foundation
import TestEnvironment
import Testing

/// The files that operators give to Prometheus and Grafana.
@Suite struct RulesTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docker").path

    @Test func `Prometheus takes the rules, and each of them alerts when it should, and not when it should not`() async throws {
        let checked = try await Program.output("promtool", ["check", "rules", Self.folder + "/prometheus-rules.yaml"])
        #expect(checked.exitCode == 0, "\(checked.lines.joined(separator: "\n"))")
        let tested = try await Program.output("promtool", ["test", "rules", Self.folder + "/prometheus-rules.test.yaml"])
        #expect(tested.exitCode == 0, "\(tested.lines.joined(separator: "\n"))")
        let rules = try String(contentsOfFile: Self.folder + "/prometheus-rules.yaml", encoding: .utf8)
        let tests = try String(contentsOfFile: Self.folder + "/prometheus-rules.test.yaml", encoding: .utf8)
        let alerts = rules.matches(of: /- alert: (\w+)/).map { String($0.1) }
        #expect(alerts.count > 15)
        for alert in alerts { #expect(tests.contains("alertname: \(alert)\n        exp_alerts:"), "\(alert) is not tested") }
    }

    @Test func `Prometheus understands each expression of the dashboard, and its panels lie beside one another`() async throws {
        let json = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(fileURLWithPath: Self.folder + "/grafana-dashboard.json"))
        )
        let dashboard = try #require(json as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        var rules = "groups:\n- name: dashboard\n  rules:\n"
        var taken: Set<[Int]> = []
        var number = 0
        for panel in panels {
            let title = try #require(panel["title"] as? String)
            let place = try #require(panel["gridPos"] as? [String: Int])
            let (x, y, width, height) = (place["x"] ?? -1, place["y"] ?? -1, place["w"] ?? 0, place["h"] ?? 0)
            #expect(x >= 0 && x + width <= 24 && height > 0, "\(title)")
            for column in x..<(x + width) {
                for row in y..<(y + height) { #expect(taken.insert([column, row]).inserted, "\(title) lies on another") }
            }
            for target in panel["targets"] as? [[String: Any]] ?? [] {
                let expression = try #require(target["expr"] as? String)
                    .replacing("$__rate_interval", with: "5m").replacing("$job", with: ".*")
                number += 1
                rules += "  - record: r\(number)\n    expr: '\(expression.replacing("'", with: "''"))'\n"
            }
        }
        #expect(number > 40)
        try await withTemporaryFolder { [rules] folder in
            let file = folder.appending(path: "dashboard.yaml").path
            try rules.write(toFile: file, atomically: false, encoding: .utf8)
            let checked = try await Program.output("promtool", ["check", "rules", file])
            #expect(checked.exitCode == 0, "\(checked.lines.joined(separator: "\n"))")
        }
    }
}
