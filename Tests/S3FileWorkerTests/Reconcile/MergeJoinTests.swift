import Testing

@testable import S3FileWorker

@Suite struct MergeJoinTests {
    /// Pages of a few, as they come from a store or from Postgres.
    private func pages(_ keys: [String], of size: Int) -> OrderedPages<String> {
        var rest = keys[...]
        return OrderedPages(key: { $0 }) {
            guard !rest.isEmpty else { return nil }
            let page = Array(rest.prefix(size))
            rest = rest.dropFirst(size)
            return page
        }
    }

    private func joined(_ left: [String], _ right: [String], size: Int) async throws -> [String] {
        var join = MergeJoin(left: self.pages(left, of: size), right: self.pages(right, of: size))
        var words: [String] = []
        while true {
            let pairs = try await join.next(3)
            guard !pairs.isEmpty else { return words }
            words += pairs.map { "\($0.left == nil ? "" : "<")\($0.key)\($0.right == nil ? "" : ">")" }
        }
    }

    @Test(arguments: [1, 2, 100])
    func `what has the same key in both comes together, and the rest by itself`(size: Int) async throws {
        #expect(
            try await self.joined(["a", "c", "d"], ["b", "c", "e", "f"], size: size) == ["<a", "b>", "<c>", "<d", "e>", "f>"]
        )
        #expect(try await self.joined([], ["b"], size: size) == ["b>"])
        #expect(try await self.joined(["b"], [], size: size) == ["<b"])
        #expect(try await self.joined([], [], size: size) == [])
    }

    @Test func `keys are compared by their bytes: not by letters, and not as UTF-16`() async throws {
        // U+FFFD comes before U+1F98A in bytes, and after it in UTF-16; z comes before é, and after e with an accent of its own.
        let keys = ["e\u{301}", "z", "é", "\u{FFFD}", "🦊"]
        #expect(keys == keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
        #expect(try await self.joined(keys, keys, size: 2) == keys.map { "<\($0)>" })
        // Two spellings of one letter are two keys.
        #expect(try await self.joined(["e\u{301}"], ["é"], size: 2) == ["<e\u{301}", "é>"])
    }

    @Test func `a page may be empty without being the last`() async throws {
        var pages: [[String]?] = [[], ["a"], [], [], ["b"], nil]
        var ordered = OrderedPages(key: { (key: String) in key }) { pages.removeFirst() }
        var found: [String] = []
        while let next = try await ordered.peek() {
            found.append(next.key)
            ordered.pop()
        }
        #expect(found == ["a", "b"])
    }
}
