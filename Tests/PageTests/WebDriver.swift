import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import TestEnvironment

/// What a browser, or the driver between us, answered instead of doing what it was told.
struct WebDriverError: Error, CustomStringConvertible {
    var description: String
}

/// A headless Chromium, led by the W3C's protocol: <https://www.w3.org/TR/webdriver2/>
struct Browser: Sendable {
    let session: String

    /// Starts a browser for the length of `body`.
    static func with<R: Sendable>(_ body: @Sendable (Browser) async throws -> R) async throws -> R {
        // With port 0 the driver takes a free port of ::1 and then wants the same one of 127.0.0.1, which another program may have: it says
        // so and ends, before anything else happens. Then it is asked for another.
        for _ in 0..<4 {
            do {
                return try await Self.start(body)
            } catch let error as ProgramError where error.description.contains("bind() failed: Address already in use") {
                continue
            }
        }
        return try await Self.start(body)
    }

    private static func start<R: Sendable>(_ body: @Sendable (Browser) async throws -> R) async throws -> R {
        // Without UTF-8, Chromium on Linux reads file names byte by byte.
        let (result, _) = try await Program.with("chromedriver", ["--port=0"], environment: ["LC_ALL": "C.UTF-8"]) { driver in
            let started = try await driver.line(containing: "started successfully on port")
            guard let port = started.split(separator: " ").last.flatMap({ Int($0.filter(\.isNumber)) }) else {
                throw WebDriverError(description: "chromedriver named no port: \(started)")
            }
            let root = "http://127.0.0.1:\(port)/session"
            var arguments = [
                "--headless=new", "--window-size=1000,1250", "--disable-dev-shm-usage", "--disable-gpu",
                "--force-color-profile=srgb",
            ]
            // Chromium's sandbox refuses to run as root.
            if geteuid() == 0 { arguments.append("--no-sandbox") }
            let capabilities: [String: Any] = [
                "capabilities": [
                    "alwaysMatch": [
                        "browserName": "chrome", "goog:chromeOptions": ["args": arguments],
                        "goog:loggingPrefs": ["browser": "ALL"],
                    ]
                ]
            ]
            let answer = try await Self.call(.POST, root, capabilities) as? [String: Any]
            guard let id = answer?["sessionId"] as? String else {
                throw WebDriverError(description: "no session: \(answer ?? [:])")
            }
            let browser = Browser(session: "\(root)/\(id)")
            let result: Result<R, any Error>
            do { result = .success(try await body(browser)) } catch { result = .failure(error) }
            _ = try? await Self.call(.DELETE, browser.session)
            return try result.get()
        }
        return result
    }

    func open(_ url: String) async throws {
        _ = try await Self.call(.POST, self.session + "/url", ["url": url])
    }

    var url: String {
        get async throws { try await self.value("/url") }
    }

    /// The first element that a CSS selector finds, waited for.
    func element(_ selector: String, within patience: Duration = .seconds(15)) async throws -> Element {
        try await eventually(within: patience) { try await self.elements(selector).first }
    }

    func elements(_ selector: String) async throws -> [Element] {
        let found = try await Self.call(.POST, self.session + "/elements", ["using": "css selector", "value": selector])
        // The constant is the protocol's name for "a reference to an element".
        return ((found as? [[String: String]]) ?? [])
            .compactMap { $0["element-6066-11e4-a52e-4f735466cecf"] }
            .map { Element(reference: "\(self.session)/element/\($0)") }
    }

    /// Runs a script in the page; `return` gives text back.
    @discardableResult
    func run(_ script: String) async throws -> String? {
        try await Self.call(.POST, self.session + "/execute/sync", ["script": script, "args": [String]()]) as? String
    }

    /// Runs a script in the page that says `done(text)` when it has finished.
    func runUntilDone(_ script: String) async throws -> String? {
        let script = "const done = arguments[arguments.length - 1]; " + script
        return try await Self.call(.POST, self.session + "/execute/async", ["script": script, "args": [String]()]) as? String
    }

    /// What the page's scripts and its security policy complained of since the last call.
    func complaints() async throws -> [String] {
        let entries = try await Self.call(.POST, self.session + "/se/log", ["type": "browser"]) as? [[String: Any]]
        return (entries ?? []).filter { $0["level"] as? String == "SEVERE" }.compactMap { $0["message"] as? String }
    }

    /// Saves a picture of the window as `<name>.png` in the folder that `S3FILE_SCREENSHOTS` names.
    func screenshot(_ name: String) async throws {
        let folder = URL(
            fileURLWithPath: ProcessInfo.processInfo.environment["S3FILE_SCREENSHOTS"]
                ?? FileManager.default.temporaryDirectory.appendingPathComponent("s3file-screenshots").path
        )
        guard let picture = Data(base64Encoded: try await self.value("/screenshot")) else {
            throw WebDriverError(description: "the screenshot is no base64")
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try picture.write(to: folder.appendingPathComponent(name + ".png"))
    }

    private func value(_ path: String) async throws -> String {
        guard let value = try await Self.call(.GET, self.session + path) as? String else {
            throw WebDriverError(description: "\(path) is no text")
        }
        return value
    }

    static func call(
        _ method: HTTPMethod,
        _ url: String,
        _ parameters: [String: Any] = [:]
    ) async throws -> Any? {
        var request = HTTPClientRequest(url: url)
        request.method = method
        if method == .POST {
            request.body = .bytes(ByteBuffer(data: try JSONSerialization.data(withJSONObject: parameters)))
            request.headers.add(name: "content-type", value: "application/json")
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(90))
        let body = try await response.body.collect(upTo: 64 << 20)
        let answer = try JSONSerialization.jsonObject(with: Data(buffer: body)) as? [String: Any]
        if let problem = answer?["value"] as? [String: Any], let error = problem["error"] as? String {
            throw WebDriverError(description: "\(error): \(problem["message"] as? String ?? "") (\(url))")
        }
        return answer?["value"]
    }
}

/// An element of the page as it was when it was found.
struct Element: Sendable {
    let reference: String

    func click() async throws {
        _ = try await Browser.call(.POST, self.reference + "/click")
    }

    /// Chooses files as a person does in the file dialog.
    func choose(_ files: [URL]) async throws {
        _ = try await Browser.call(.POST, self.reference + "/value", ["text": files.map(\.path).joined(separator: "\n")])
    }

    /// Writes into a text field.
    func type(_ text: String) async throws {
        _ = try await Browser.call(.POST, self.reference + "/value", ["text": text])
    }

    /// As it is rendered.
    var text: String {
        get async throws { try await Browser.call(.GET, self.reference + "/text") as? String ?? "" }
    }

    func attribute(_ name: String) async throws -> String? {
        try await Browser.call(.GET, self.reference + "/attribute/\(name)") as? String
    }

    var isEnabled: Bool {
        get async throws { try await Browser.call(.GET, self.reference + "/enabled") as? Bool ?? false }
    }
}
