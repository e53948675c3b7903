import HTTPTypes
@testable import S3FileHTTP
import Testing

@Suite struct CrossOriginTests {
    private func answer(_ cors: CrossOrigin, _ origin: String?) -> HTTPFields {
        let request = EndpointRequest(headers: origin.map { [.origin: $0] } ?? [:])
        return cors.admit(request, to: HTTPAnswer(status: .ok)).headers
    }

    @Test func `it is off unless an app says so`() {
        #expect(self.answer(.off, "https://a.example") == [:])
        #expect(
            CrossOrigin.off.preflight(EndpointRequest(headers: [.origin: "https://a.example"])).headers == [
                .allow: "GET, OPTIONS"
            ]
        )
    }

    @Test func `pages of the origins named may read, and of no other; caches keep them apart`() {
        let cors = CrossOrigin.origins(["https://a.example", "http://localhost:8080"])
        for origin in ["https://a.example", "http://localhost:8080"] {
            let headers = self.answer(cors, origin)
            #expect(headers[.accessControlAllowOrigin] == origin && headers[.vary] == "Origin")
            #expect(headers[.accessControlAllowCredentials] == nil)
            #expect(headers[.accessControlExposeHeaders]?.contains("ETag") == true)
        }
        let others = [
            nil, "null", "", "https://a.example.evil.example", "http://a.example", "https://a.example:444", "https://A.example",
            "https://a.example/", "https://a.example x", "*",
        ]
        for origin in others {
            let headers = self.answer(cors, origin)
            #expect(headers[.accessControlAllowOrigin] == nil && headers[.vary] == "Origin", "\(origin ?? "none")")
        }
    }

    @Test func `cookies go along only where the app says so, and never with every origin`() {
        let cors = CrossOrigin.origins(["https://a.example"], credentials: true)
        #expect(self.answer(cors, "https://a.example")[.accessControlAllowCredentials] == "true")
        #expect(self.answer(cors, "https://b.example")[.accessControlAllowCredentials] == nil)
        let headers = self.answer(.origins(["*"]), "https://b.example")
        #expect(headers[.accessControlAllowOrigin] == "*" && headers[.accessControlAllowCredentials] == nil)
    }

    @Test func `a browser that asks before it asks is told what it may send`() {
        let cors = CrossOrigin.origins(["https://a.example"])
        let preflight = cors.preflight(EndpointRequest(headers: [.origin: "https://a.example"]))
        #expect(preflight.status == .noContent)
        #expect(preflight.headers[.accessControlAllowMethods] == "GET")
        #expect(preflight.headers[.accessControlAllowHeaders]?.contains("If-None-Match") == true)
        #expect(preflight.headers[.vary] == "Origin")
        let stranger = cors.preflight(EndpointRequest(headers: [.origin: "https://b.example"]))
        #expect(stranger.headers[.accessControlAllowMethods] == nil && stranger.headers[.accessControlAllowOrigin] == nil)
    }

    #if os(Linux) || os(macOS)
        @Test func `what is no origin ends the program at its start, rather than never match`() async {
            await #expect(processExitsWith: .failure) { _ = CrossOrigin.origins(["https://a.example/app"]) }
            await #expect(processExitsWith: .failure) { _ = CrossOrigin.origins(["*"], credentials: true) }
        }
    #endif
}
