import Foundation
import S3
import TestEnvironment
import Testing

@testable import S3DevServer

@Suite("CORS")
struct CORSTests {
    private func rules(_ text: String) throws -> [CORS.Rule] {
        try CORS.Rule.parse(Array("<CORSConfiguration>\(text)</CORSConfiguration>".utf8))
    }

    @Test(
        "The rules that were put for a bucket are kept to, the first that fits, and the server's own again when they are deleted"
    )
    func bucket() async throws {
        try await TestDevServer.run { server async throws in
            let target = "/\(server.bucket)"
            func preflight(_ origin: String, _ method: String, _ headers: String = "") async throws -> TestDevServer.Answer {
                try await server.send(
                    "OPTIONS",
                    "\(target)/k",
                    headers: [
                        ("origin", origin), ("access-control-request-method", method),
                        ("access-control-request-headers", headers),
                    ]
                )
            }
            let body = Array(
                """
                <CORSConfiguration>
                <CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>
                <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>
                <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
                </CORSConfiguration>
                """.utf8
            )
            let headers = server.signed("PUT", target, query: [("cors", "")], payloadHash: SigV4.payloadHash(body))
            #expect(try await server.send("PUT", "\(target)?cors", headers: headers, body: body).status == 200)
            let allowed = try await preflight("https://a.example.com", "PUT", "X-Amz-Date, x-amz-meta-a")
            #expect(allowed.status == 200)
            #expect(allowed.header("access-control-allow-origin") == "https://a.example.com")
            #expect(allowed.header("access-control-allow-credentials") == "true")
            #expect(allowed.header("access-control-allow-methods") == "PUT")
            #expect(allowed.header("access-control-allow-headers") == "x-amz-date, x-amz-meta-a")
            #expect(allowed.header("access-control-expose-headers") == "ETag")
            #expect(allowed.header("access-control-max-age") == "60")
            for (origin, method, names) in [
                ("https://a.example.com", "PUT", "content-type"), ("https://example.org", "PUT", ""),
                ("http://a.example.com", "PUT", ""),
                ("https://a.example.com", "DELETE", ""), ("https://example.org", "GET", "x-own"),
            ] {
                let refused = try await preflight(origin, method, names)
                #expect(refused.code == "AccessForbidden", "\(origin) \(method) \(names)")
                #expect(refused.header("access-control-allow-origin") == nil)
            }
            let read = try await server.send("GET", "\(target)/k", headers: [("origin", "https://example.org")])
            #expect(read.status == 403)
            #expect(read.header("access-control-allow-origin") == "*")
            #expect(read.header("access-control-expose-headers") == nil)
            #expect(try await server.send("OPTIONS", target).code == "BadRequest")
            let delete = server.signed("DELETE", target, query: [("cors", "")])
            #expect(try await server.send("DELETE", "\(target)?cors", headers: delete).status == 204)
            #expect(try await preflight("https://example.org", "DELETE", "x-own").status == 200)
        }
    }

    @Test(
        "Rules that S3 would refuse are refused",
        arguments: [
            "", "<CORSRule><AllowedMethod>PUT</AllowedMethod></CORSRule>",
            "<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>",
            "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule>",
            "<CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>",
            "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>*-*</AllowedHeader></CORSRule>",
            "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><ExposeHeader>x-*</ExposeHeader></CORSRule>",
            "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>",
        ]
    )
    func malformed(text: String) {
        #expect(throws: S3Error.self) { try self.rules(text) }
    }
}
