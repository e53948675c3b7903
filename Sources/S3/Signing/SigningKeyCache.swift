package import Crypto
import NIOConcurrencyHelpers

/// Remembers signing keys, which change only with the day, the region and the credentials.
///
/// Deriving one takes four HMACs, several times what a signature itself takes.
package final class SigningKeyCache: Sendable {
    private struct Entry: Hashable {
        var secret: String
        var scope: SigV4.Scope
    }

    /// Yesterday's and rotated keys are dropped all together, rarely, rather than tracked one by one.
    static let limit = 16
    private let keys = NIOLockedValueBox<[Entry: SymmetricKey]>([:])

    package init() {}

    var count: Int { self.keys.withLockedValue { $0.count } }

    package func key(secret: String, scope: SigV4.Scope) -> SymmetricKey {
        let entry = Entry(secret: secret, scope: scope)
        if let key = self.keys.withLockedValue({ $0[entry] }) { return key }
        let key = SigV4.signingKey(secret: secret, date: scope.date, region: scope.region, service: scope.service)
        self.keys.withLockedValue { keys in
            if keys.count >= Self.limit { keys.removeAll() }
            keys[entry] = key
        }
        return key
    }
}
