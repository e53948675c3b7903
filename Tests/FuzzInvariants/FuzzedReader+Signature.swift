import Foundation
import S3

extension FuzzedReader {
    /// No request and no form passes that nobody signed, and a refusal is the client's fault.
    ///
    /// The bytes are a request: its first line the method and the target, the others headers, or a form's fields.
    static func checkSignature(_ bytes: [UInt8]) throws(InvariantViolation) {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let target = (words.count > 1 ? words[1] : "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = target.count > 1 ? target[1].split(separator: "&").map { Self.pair(String($0), separator: "=") } : []
        let fields = lines.dropFirst().map { Self.pair($0, separator: ":") }
        // The key is one that the corpus names; its secret nobody can know.
        let credentials = S3Credentials(accessKeyID: "AKIA", secretAccessKey: UUID().uuidString)
        func known(_ accessKeyID: String) -> S3Credentials? { accessKeyID == "AKIA" ? credentials : nil }
        do {
            let verified = try SigV4.verify(
                method: words.first ?? "GET",
                rawPath: String(target.first ?? "/"),
                query: query,
                headers: fields,
                region: "us-east-1",
                now: Date(timeIntervalSince1970: 1_800_000_000),
                credentials: known
            )
            try require(verified == nil, "a request passes that nobody signed")
        } catch let violation as InvariantViolation {
            throw violation
        } catch {
            try Self.requireRefusal(error)
        }
        do {
            _ = try SigV4.verifyPost(fields: fields, region: "us-east-1", credentials: known)
        } catch {
            return try Self.requireRefusal(error)
        }
        throw InvariantViolation("a form passes that nobody signed")
    }

    private static func requireRefusal(_ error: any Error) throws(InvariantViolation) {
        guard let error = error as? S3Error else { throw InvariantViolation("a request is refused with \(error)") }
        try require((400..<500).contains(error.status), "a request is refused with \(error.status)")
    }

    private static func pair(_ text: String, separator: Character) -> (name: String, value: String) {
        guard let place = text.firstIndex(of: separator) else { return (text, "") }
        return (String(text[..<place]), String(text[text.index(after: place)...]))
    }
}
