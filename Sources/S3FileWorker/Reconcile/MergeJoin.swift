/// Something that comes page by page, in the order of its keys' bytes, looked at one by one.
///
/// S3 lists in that order, and Postgres reads in it under the collation "C". Swift compares strings by their letters, so that nothing here does.
struct OrderedPages<Element: Sendable> {
    private let key: (Element) -> String
    private let next: () async throws -> [Element]?
    private var page: ArraySlice<Element> = []
    private var hasEnded = false

    /// - Parameter next: the next page, which may be empty; nil at the end.
    init(key: @escaping (Element) -> String, next: @escaping () async throws -> [Element]?) {
        self.key = key
        self.next = next
    }

    /// The next one and its key; nil at the end.
    mutating func peek() async throws -> (element: Element, key: String)? {
        while self.page.isEmpty, !self.hasEnded {
            try Task.checkCancellation()
            if let page = try await self.next() { self.page = page[...] } else { self.hasEnded = true }
        }
        return self.page.first.map { ($0, self.key($0)) }
    }

    mutating func pop() {
        self.page.removeFirst()
    }
}

/// Two ordered sequences side by side, in constant memory: what has the same key in both comes together.
struct MergeJoin<Left: Sendable, Right: Sendable> {
    struct Pair: Sendable {
        var key: String
        var left: Left?
        var right: Right?
    }

    var left: OrderedPages<Left>
    var right: OrderedPages<Right>

    /// Up to `limit` pairs; empty at the end.
    mutating func next(_ limit: Int) async throws -> [Pair] {
        var pairs: [Pair] = []
        while pairs.count < limit, let pair = try await self.next() { pairs.append(pair) }
        return pairs
    }

    private mutating func next() async throws -> Pair? {
        let left = try await self.left.peek()
        let right = try await self.right.peek()
        switch (left, right) {
        case (nil, nil):
            return nil
        case (let left?, nil):
            self.left.pop()
            return Pair(key: left.key, left: left.element, right: nil)
        case (nil, let right?):
            self.right.pop()
            return Pair(key: right.key, left: nil, right: right.element)
        case (let left?, let right?):
            if left.key.utf8.elementsEqual(right.key.utf8) {
                self.left.pop()
                self.right.pop()
                return Pair(key: left.key, left: left.element, right: right.element)
            }
            if left.key.utf8.lexicographicallyPrecedes(right.key.utf8) {
                self.left.pop()
                return Pair(key: left.key, left: left.element, right: nil)
            }
            self.right.pop()
            return Pair(key: right.key, left: nil, right: right.element)
        }
    }
}
