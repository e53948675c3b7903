import Foundation
import Testing

@Suite struct ReadmeTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func `the program in the README is the one that is compiled`() throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        let program = try String(contentsOf: Self.root.appending(path: "Examples/Minimal/main.swift"), encoding: .utf8)
        #expect(readme.contains("```swift\n" + program + "```"))
    }

    @Test func `every file and heading that the README links to is there`() throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        let links = readme.matches(of: /\]\(([^)]+)\)/).map { String($0.1) }
        #expect(links.count > 3)
        let anchors = readme.matches(of: /(?m)^#+ (.+)$/).map { "#" + $0.1.lowercased().replacing(" ", with: "-") }
        for link in links where !link.hasPrefix("http") {
            if link.hasPrefix("#") {
                #expect(anchors.contains(link), "\(link)")
                continue
            }
            #expect(FileManager.default.fileExists(atPath: Self.root.appending(path: link).path), "\(link)")
        }
    }
}
