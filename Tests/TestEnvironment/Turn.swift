/// One after the other, in the order in which they come.
package actor Turn {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init() {}

    package nonisolated func take<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        await self.begin()
        let result: Result<R, any Error>
        do {
            // Who was told to give up while he waited has nothing to do any more.
            try Task.checkCancellation()
            result = .success(try await body())
        } catch { result = .failure(error) }
        await self.end()
        return try result.get()
    }

    private func begin() async {
        guard self.isTaken else {
            self.isTaken = true
            return
        }
        await withCheckedContinuation { self.waiting.append($0) }
    }

    private func end() {
        if self.waiting.isEmpty { self.isTaken = false } else { self.waiting.removeFirst().resume() }
    }
}
