package struct TimeoutError: Error, CustomStringConvertible {
    package var description: String
}

/// Asks until there is an answer, every 20 ms; throws when there is none in time.
package func eventually<R: Sendable>(
    within patience: Duration = .seconds(30),
    sourceFile: String = #fileID,
    line: Int = #line,
    _ answer: () async throws -> R?
) async throws -> R {
    let deadline = ContinuousClock.now + patience
    while true {
        if let answer = try await answer() { return answer }
        guard ContinuousClock.now < deadline else {
            throw TimeoutError(description: "Nothing within \(patience) (\(sourceFile):\(line))")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

/// Asks until it is so; throws with these words when it is not in time.
package func eventually(
    _ what: String,
    within patience: Duration = .seconds(30),
    sourceFile: String = #fileID,
    line: Int = #line,
    _ condition: () async throws -> Bool
) async throws {
    do {
        try await eventually(within: patience, sourceFile: sourceFile, line: line) { try await condition() ? () : nil }
    } catch is TimeoutError {
        throw TimeoutError(description: "Not within \(patience): \(what) (\(sourceFile):\(line))")
    }
}
