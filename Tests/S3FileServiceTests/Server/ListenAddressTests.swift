import S3File
import Testing

@testable import S3FileService

@Suite struct ListenAddressTests {
    @Test func `without a word it is this machine alone`() throws {
        let address = try ListenAddress(host: nil, port: nil, socket: nil)
        #expect(address == .host("127.0.0.1", port: 8080) && address.isLocal)
    }

    @Test func `what other machines can reach is known`() throws {
        for (host, isLocal) in [
            ("127.0.0.1", true), ("127.9.9.9", true), ("localhost", true), ("::1", true), ("0.0.0.0", false), ("::", false),
            ("10.0.0.7", false),
            ("127.example.com", false), ("localhost.example.com", false),
        ] {
            #expect(try ListenAddress(host: host, port: "0", socket: nil).isLocal == isLocal, "\(host)")
        }
        #expect(try ListenAddress(host: nil, port: nil, socket: "/run/s3file.sock").isLocal)
    }

    @Test(
        arguments: [
            ("", nil, nil), ("a b", nil, nil), (nil, "x", nil), (nil, "65536", nil), (nil, "-1", nil), (nil, nil, ""),
            (nil, nil, String(repeating: "x", count: 104)),
            ("0.0.0.0", nil, "/run/s3file.sock"),
        ] as [(String?, String?, String?)]
    )
    func `an address that cannot be is refused`(_ host: String?, _ port: String?, _ socket: String?) {
        #expect(throws: ConfigurationError.self) { try ListenAddress(host: host, port: port, socket: socket) }
    }
}
