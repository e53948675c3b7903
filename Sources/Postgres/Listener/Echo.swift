import NIOConcurrencyHelpers

/// What the listener tells itself, one word at a time.
final class Echo: Sendable {
    private let expected = NIOLockedValueBox<(word: String, arrival: OneShot<Void>)?>(nil)

    /// To be called before the word is said, as it may be heard before that call returns.
    func expect(_ word: String) -> OneShot<Void> {
        let arrival = OneShot<Void>()
        self.expected.withLockedValue { $0 = (word, arrival) }
        return arrival
    }

    func heard(_ word: String) {
        guard let expected = self.expected.withLockedValue({ $0 }), expected.word == word else { return }
        expected.arrival.complete(.success(()))
    }
}
