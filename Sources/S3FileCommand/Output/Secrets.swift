import Configuration
import Foundation
import Synchronization

/// What must never be printed, wherever it would come from: the values that this process was given, and what looks like one.
///
/// Errors are made so that they hold none. This is the second line, for words of others that quote what they were sent.
enum Secrets {
    /// In the environment, by name.
    static let variables = [
        "DATABASE_URL", "S3FILE_LISTEN_URL", "S3FILE_SECRET", "S3FILE_DJANGO_SECRET", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "PGPASSWORD", "S3FILE_API_KEYS",
    ]

    /// As the settings' file and flags have them.
    static let keys: [ConfigKey] = [
        "database.url", "s3file.listenUrl", "s3file.secret", "s3file.djangoSecret", "s3file.apiKeys", "aws.secretAccessKey",
        "aws.sessionToken",
    ]

    private static let known = Mutex<Set<String>>([])

    /// Notes the secret parts of a setting: of a URL its password, of a list each of its values, else all of it.
    static func remember(_ value: String) {
        let parts = Self.parts(of: value)
        Self.known.withLock { $0.formUnion(parts) }
    }

    /// The text with every secret replaced by `…`.
    static func struckOut(of text: String) -> String {
        let given = Self.variables.compactMap { ProcessInfo.processInfo.environment[$0] }.flatMap(Self.parts)
        var text = text
        // The longest first: one may be a part of another.
        for secret in Self.known.withLock({ $0.union(given) }).sorted(by: { $0.utf8.count > $1.utf8.count }) {
            text = text.replacing(secret, with: "…")
        }
        return Self.withoutLookalikes(text)
    }

    /// A password in a URL or in libpq's keywords, and the query of a presigned URL.
    static func withoutLookalikes(_ text: String) -> String {
        text.replacing(/([A-Za-z][A-Za-z0-9+.\-]*:\/\/[^\s\/:@]*):[^\s\/@]*@/) { "\($0.1):…@" }
            .replacing(/(?i)\b(password|passfile|sslpassword)(\s*=\s*)('[^']*'|[^\s&']+)/) { "\($0.1)\($0.2)…" }
            .replacing(/(?i)\b(X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)=[^\s&"'<]+/) {
                "\($0.1)=…"
            }
    }

    private static func parts(of value: String) -> [String] {
        let parts =
            if value.contains("://") {
                [URLComponents(string: value)?.password, URLComponents(string: value)?.percentEncodedPassword].compactMap { $0 }
            } else if value.contains("password=") {
                value.matches(of: /password\s*=\s*(?:'([^']*)'|(\S+))/).compactMap { ($0.1 ?? $0.2).map(String.init) }
            } else {
                // An API key may have the name of its field behind it: key@field.
                value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                    .flatMap { [$0, String($0.prefix { $0 != "@" })] } + [value]
            }
        // Shorter ones would strike out ordinary words, and are no secrets.
        return parts.filter { $0.utf8.count >= 6 }
    }
}
