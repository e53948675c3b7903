import AsyncHTTPClient
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The endpoint that a container's platform gives it: ECS and EKS pod identity.
///
/// ([AWS: Container credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html))
package struct ContainerCredentials: S3CredentialsProvider {
    static let source = "the container's endpoint"
    private static let timeout: Duration = .seconds(2)
    private static let attempts = 3

    private let environment: [String: String]
    private let transport: CredentialsTransport
    private let relativeTo: String

    /// - Parameter relativeTo: the host of `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, which is always that of ECS.
    package init(
        environment: [String: String],
        transport: CredentialsTransport,
        relativeTo: String = "http://169.254.170.2"
    ) {
        self.environment = environment
        self.transport = transport
        self.relativeTo = relativeTo
    }

    package var name: String { Self.source }

    package func credentials() async throws -> S3Credentials {
        var request = HTTPClientRequest(url: try self.url())
        request.headers.add(name: "accept", value: "application/json")
        if let token = try await self.token() { request.headers.add(name: "authorization", value: token) }
        let answer = try await self.transport.fetch(
            request,
            for: Self.source,
            timeout: Self.timeout,
            attempts: Self.attempts
        )
        guard answer.isSuccess else {
            throw CredentialsError(
                .failed,
                Self.source,
                "it answered with HTTP \(answer.status)",
                retryable: answer.status >= 500 || answer.status == 429
            )
        }
        return try CredentialsDocument(answer.body, from: Self.source).credentials(from: Self.source, mustEnd: true)
    }

    private func url() throws(CredentialsError) -> String {
        func value(_ name: String) -> String? { self.environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let path = value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard path.hasPrefix("/"), !path.hasPrefix("//"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw CredentialsError(.failed, Self.source, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must be a path")
            }
            return self.relativeTo + path
        }
        guard let url = value("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
            throw CredentialsError(.absent, Self.source, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …_FULL_URI are not set")
        }
        guard Self.isAllowed(url) else {
            throw CredentialsError(
                .failed,
                Self.source,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or lead to this machine, 169.254.170.2, 169.254.170.23 or "
                    + "[fd00:ec2::23]: elsewhere anybody on the way could read the credentials"
            )
        }
        return url
    }

    /// Without TLS only to hosts that cannot be reached over a network, by their addresses: a name could lead anywhere.
    static func isAllowed(_ url: String) -> Bool {
        guard
            url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let parts = URLComponents(string: url), parts.user == nil,
            parts.password == nil, var host = parts.host?.lowercased(), !host.isEmpty
        else { return false }
        switch parts.scheme?.lowercased() {
        case "https": return true
        case "http": break
        default: return false
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if ["localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"].contains(host) { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127"
            && numbers.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt8($0) != nil }
    }

    /// The file goes before the variable, and is read each time: EKS renews it.
    private func token() async throws -> String? {
        if let path = self.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], !path.isEmpty {
            return try await SmallFile.token(path, for: Self.source)
        }
        guard let token = self.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"], !token.isEmpty else { return nil }
        guard token.utf8.count <= 64 * 1024, token.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw CredentialsError(.failed, Self.source, "AWS_CONTAINER_AUTHORIZATION_TOKEN is not visible ASCII")
        }
        return token
    }
}
