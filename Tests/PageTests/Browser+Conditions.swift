import Foundation
import NIOHTTP1

/// What is around a page: the network, the window, the person's settings.
extension Browser {
    /// Slows sending down, or with `nil` no longer.
    func limitUpload(bytesPerSecond: Int?) async throws {
        try await self.setNetwork(isOffline: false, bytesPerSecond: bytesPerSecond ?? 100_000_000)
    }

    /// What is on its way then stands nearly still.
    func setOffline(_ isOffline: Bool) async throws {
        try await self.setNetwork(isOffline: isOffline, bytesPerSecond: isOffline ? 1 : 100_000_000)
    }

    /// How long each request takes at least.
    func setLatency(milliseconds: Int) async throws {
        try await self.setNetwork(isOffline: false, bytesPerSecond: 100_000_000, latency: milliseconds)
    }

    /// Addresses, with `*` for anything, that cannot be reached.
    func block(_ urls: [String]) async throws {
        try await self.command("Network.enable")
        try await self.command("Network.setBlockedURLs", ["urls": urls])
    }

    private func setNetwork(isOffline: Bool, bytesPerSecond: Int, latency: Int = 0) async throws {
        let network: [String: Any] = [
            "offline": isOffline, "latency": latency, "download_throughput": 100_000_000, "upload_throughput": bytesPerSecond,
        ]
        _ = try await Self.call(.POST, self.session + "/chromium/network_conditions", ["network_conditions": network])
    }

    /// What the person prefers, as media queries see it: `["prefers-color-scheme": "dark"]`. What is not named is as by default.
    func prefer(_ features: [String: String]) async throws {
        try await self.command(
            "Emulation.setEmulatedMedia",
            ["features": features.map { ["name": $0.key, "value": $0.value] }]
        )
    }

    /// The window's size without its frame, also one smaller than a window may be.
    func resize(width: Int, height: Int) async throws {
        try await self.command(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false]
        )
    }

    /// A command of the DevTools protocol: <https://chromedevtools.github.io/devtools-protocol/>
    @discardableResult
    func command(_ name: String, _ parameters: [String: Any] = [:]) async throws -> Any? {
        try await Self.call(.POST, self.session + "/goog/cdp/execute", ["cmd": name, "params": parameters])
    }

    /// As a browser that was never here: without cookies, network limits and preferences.
    func forget() async throws {
        try await self.limitUpload(bytesPerSecond: nil)
        try await self.prefer([:])
        try await self.block([])
        _ = try await Self.call(.DELETE, self.session + "/cookie")
        try await self.run("localStorage.clear()")
        _ = try await self.complaints()
    }

    /// As the same browser with somebody else at it, who was never here.
    func forgetVisitor() async throws {
        _ = try await Self.call(.DELETE, self.session + "/cookie")
    }

    func reload() async throws {
        _ = try await Self.call(.POST, self.session + "/refresh")
    }

    func goBack() async throws {
        _ = try await Self.call(.POST, self.session + "/back")
    }

    // MARK: Tabs

    var tab: String {
        get async throws { try await Self.call(.GET, self.session + "/window") as? String ?? "" }
    }

    /// Opens another tab and goes there.
    func openTab() async throws {
        let opened = try await Self.call(.POST, self.session + "/window/new", ["type": "tab"]) as? [String: Any]
        try await self.show(tab: opened?["handle"] as? String ?? "")
    }

    func show(tab: String) async throws {
        _ = try await Self.call(.POST, self.session + "/window", ["handle": tab])
    }

    func closeTab() async throws {
        _ = try await Self.call(.DELETE, self.session + "/window")
    }

    // MARK: Keys and pointer

    /// Presses keys one after the other, wherever the focus is. The private codes are WebDriver's: `\u{E004}` Tab, `\u{E008}` Shift.
    func press(_ keys: String, holding modifier: String? = nil) async throws {
        var actions = keys.flatMap { key in
            [["type": "keyDown", "value": String(key)], ["type": "keyUp", "value": String(key)]]
        }
        if let modifier {
            actions.insert(["type": "keyDown", "value": modifier], at: 0)
            actions.append(["type": "keyUp", "value": modifier])
        }
        _ = try await Self.call(
            .POST,
            self.session + "/actions",
            ["actions": [["type": "key", "id": "keyboard", "actions": actions]]]
        )
    }

    func doubleClick(_ element: Element) async throws {
        let reference = [
            "element-6066-11e4-a52e-4f735466cecf": element.reference.split(separator: "/").last.map(String.init) ?? ""
        ]
        var actions: [[String: Any]] = [["type": "pointerMove", "duration": 0, "origin": reference, "x": 0, "y": 0]]
        for _ in 0..<2 {
            actions.append(["type": "pointerDown", "button": 0])
            actions.append(["type": "pointerUp", "button": 0])
        }
        _ = try await Self.call(
            .POST,
            self.session + "/actions",
            ["actions": [["type": "pointer", "id": "mouse", "actions": actions] as [String: Any]]]
        )
    }

    /// What has the focus: its id, or its accessible name.
    var focus: String {
        get async throws {
            try await self.run(
                "const e = document.activeElement; return e.id || e.getAttribute('aria-label') || e.textContent.trim().slice(0, 40)"
            ) ?? ""
        }
    }
}
