import Foundation

/// axe-core, the checker of <https://github.com/dequelabs/axe-core>, as the PyPI package axe-playwright-python carries it; `bin/test`
/// installs that.
struct Axe: Sendable {
    static let missing = "axe-playwright-python is not installed; bin/test installs it"
    static var isInstalled: Bool { Self.path != nil }

    private static let path = PythonFile.path("axe_playwright_python/axe.min.js")
    private let script: String

    init() throws {
        self.script = try String(contentsOfFile: Self.path ?? "", encoding: .utf8)
    }

    /// What is wrong in the page as it is now: rules of WCAG 2.2 AA, and axe's own best practices. Each with the element and what to do.
    func violations(in browser: Browser) async throws -> [String] {
        try await browser.run(self.script)
        let found = try await browser.runUntilDone(
            """
            const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
            axe.run(document, { runOnly: tags }).then(
                ({ violations }) => done(violations.flatMap(({ id, nodes }) =>
                    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)} ${failureSummary}`.replaceAll('\\n', ' '))).join('\\n')),
                (error) => done(String(error)))
            """
        )
        return (found ?? "axe did not answer").split(separator: "\n").map(String.init)
    }
}

/// A file of a PyPI package that `bin/test` installs.
enum PythonFile {
    static func path(_ name: String) -> String? {
        for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        where folder.hasSuffix("/python/bin") {
            let libraries = folder.dropLast("bin".count) + "lib"
            let versions = (try? FileManager.default.contentsOfDirectory(atPath: String(libraries))) ?? []
            for version in versions {
                let path = "\(libraries)/\(version)/site-packages/\(name)"
                if FileManager.default.fileExists(atPath: path) { return path }
            }
        }
        return nil
    }
}
