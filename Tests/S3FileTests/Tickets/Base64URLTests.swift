import Foundation
import Testing

@testable import S3File

@Suite struct Base64URLTests {
    @Test func `bytes of any length come back, spelled as Base64 in the URL's alphabet without padding`() {
        for length in 0...100 {
            let data = Data((0..<length).map { _ in UInt8.random(in: .min ... .max) })
            let text = Base64URL.encode(data)
            let expected = data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            #expect(text == expected)
            #expect(Base64URL.decode(text) == data)
        }
    }

    @Test(arguments: ["A", "QQ==", "QR", "QQF", "AAAAA", "a+b/", "QQ\n", " QQ", "QQ\0", "ÄÄ", "QQ="])
    func `another spelling of bytes, or of none, is refused`(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}
