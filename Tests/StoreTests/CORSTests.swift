import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import S3
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(3))) struct CORSTests {
    @Test(arguments: KnownStore.available)
    func `a rule lets a browser's preflight through, from its origin only`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let rule = S3CORSRule(
                allowedOrigins: ["https://app.example.com"],
                allowedMethods: ["POST", "PUT", "GET"],
                maximumAge: .seconds(600)
            )
            try await here.client.putBucketCORS(here.name, rules: [rule])
            // A form is posted to the bucket, a part is put to its object.
            for (origin, method, key, isAllowed) in [
                ("https://app.example.com", "POST", "", true), ("https://evil.example.com", "POST", "", false),
                ("https://app.example.com", "PUT", "/tmp/x", true), ("https://evil.example.com", "PUT", "/tmp/x", false),
            ] {
                var request = HTTPClientRequest(url: "\(here.endpoint)/\(here.name)\(key)")
                request.method = .OPTIONS
                request.headers = ["Origin": origin, "Access-Control-Request-Method": method]
                let response = try await here.httpClient.execute(request, timeout: .seconds(30))
                _ = try await response.body.collect(upTo: 1 << 16)
                #expect((response.headers.first(name: "access-control-allow-origin") == origin) == isAllowed)
            }
        }
    }
}
