import Foundation
import S3
import S3DevServer

extension FuzzedReader {
    /// A policy that is read admits no form that is late, that lacks a field it names, or that has one it does not.
    static func checkPolicy(_ bytes: [UInt8]) throws(InvariantViolation) {
        // As sent, which mostly is no Base64, and as the document itself.
        _ = try? PostPolicyDocument(base64: String(decoding: bytes, as: UTF8.self))
        let policy: PostPolicyDocument
        do {
            policy = try PostPolicyDocument(base64: Data(bytes).base64EncodedString())
        } catch {
            try require(error.code == .invalidPolicyDocument && error.status == 400, "a policy is refused with \(error)")
            return
        }
        try require(policy.contentLength.lowerBound >= 0, "a policy allows \(policy.contentLength) bytes")
        let before = policy.expiration.addingTimeInterval(-1)
        let forms: [[(name: String, value: String)]] = [
            [], [("bucket", "b"), ("key", "k")], [("bucket", "b"), ("key", ""), ("content-type", "a/b,c/d"), ("policy", "p")],
        ]
        for form in forms {
            try require(!self.admits(policy, form, at: policy.expiration), "a policy admits a form when it has ended")
            if self.admits(policy, form, at: before) {
                // In lower case, as fields come, no condition of the corpus can name this one but by a mutation of 20 right bytes.
                try require(
                    !self.admits(policy, form + [("x-never-named-by-any", "1")], at: before),
                    "a policy admits a field that it does not name"
                )
            }
        }
    }

    private static func admits(_ policy: PostPolicyDocument, _ form: [(name: String, value: String)], at now: Date) -> Bool {
        do {
            try policy.check(form, now: now)
            return true
        } catch {
            return false
        }
    }
}
