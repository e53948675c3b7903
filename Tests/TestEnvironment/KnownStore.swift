package import AsyncHTTPClient
package import S3

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The stores that everything is tested on. What is expected of each is in ``StoreTraits``.
package enum KnownStore: String, CaseIterable, Sendable, CustomStringConvertible {
    case oldCeph = "Ceph RGW 16.2"
    case newCeph = "Ceph RGW 20.2"
    case ministack = "ministack"
    case devServer = "S3DevServer"

    package var description: String { self.rawValue }

    /// How the environment names it; the development server runs within the test.
    private var variable: String? {
        switch self {
        case .oldCeph: "TEST_RGW"
        case .newCeph: "TEST_RGW_NEW"
        case .ministack: "TEST_MINISTACK"
        case .devServer: nil
        }
    }

    private static let environment = ProcessInfo.processInfo.environment

    /// The store that the environment names; nil when it names none, and for the development server.
    private var external: (endpoint: String, credentials: S3Credentials)? {
        guard let variable, let endpoint = Self.environment["\(variable)_ENDPOINT"], !endpoint.isEmpty else { return nil }
        let credentials = S3Credentials(
            accessKeyID: Self.environment["\(variable)_ACCESS_KEY"] ?? "",
            secretAccessKey: Self.environment["\(variable)_SECRET_KEY"] ?? ""
        )
        return (endpoint, credentials)
    }

    package var isAvailable: Bool { self.variable == nil || self.external != nil }
    /// The arguments of tests that run on every store there is.
    package static let available = Self.allCases.filter(\.isAvailable)
    /// Says why tests on this store are skipped.
    package var missing: String {
        "Set \(self.variable ?? "")_ENDPOINT to a running \(self), as bin/test does, to run the tests against it."
    }

    /// A new bucket, removed with all that is in it, and a client that reaches it.
    package func withBucket<R: Sendable>(_ body: (StoreBucket) async throws -> R) async throws -> R {
        guard let external else {
            return try await TestDevServer.run { server in
                try await self.withBucket(endpoint: server.endpoint, credentials: server.credentials, body)
            }
        }
        return try await self.withBucket(endpoint: external.endpoint, credentials: external.credentials, body)
    }

    private func withBucket<R: Sendable>(
        endpoint: String,
        credentials: S3Credentials,
        _ body: (StoreBucket) async throws -> R
    ) async throws -> R {
        let configuration = S3Configuration(endpoint: endpoint, region: "us-east-1", credentials: StaticCredentials(credentials))
        return try await TestStore.withClient(configuration) { client, httpClient in
            try await TestStore.withBucket(of: client) { bucket in
                try await body(
                    StoreBucket(
                        store: self,
                        name: bucket,
                        endpoint: endpoint,
                        credentials: credentials,
                        client: client,
                        httpClient: httpClient
                    )
                )
            }
        }
    }
}

/// A bucket on one of the stores, and the way to it.
package struct StoreBucket: Sendable {
    package let store: KnownStore
    package let name: String
    package let endpoint: String
    package let credentials: S3Credentials
    package let client: S3Client
    package let httpClient: HTTPClient

    package var traits: StoreTraits { self.store.traits }
}
