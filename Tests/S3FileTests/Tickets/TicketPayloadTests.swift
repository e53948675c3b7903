import Testing

@testable import S3File

@Suite struct TicketPayloadTests {
    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, 253_402_300_799, Int64.max - 1, .max])
    func `numbers come back`(number: Int64) {
        var writer = TicketPayload.Writer()
        writer.append(UInt64(number))
        var reader = TicketPayload.Reader(writer.bytes)
        #expect(reader.number() == number)
        #expect(reader.isAtEnd)
    }

    @Test(arguments: [
        [], [0x80], [0xFF, 0xFF], [0x80, 0x00], [0x81, 0x80, 0x00], [UInt8](repeating: 0xFF, count: 9),
        [UInt8](repeating: 0xFF, count: 9) + [0x01], [UInt8](repeating: 0x80, count: 9) + [0x01],
    ])
    func `a number that is cut, too long or spelled with more groups than it takes is none`(bytes: [UInt8]) {
        var reader = TicketPayload.Reader(bytes)
        #expect(reader.number() == nil)
    }

    @Test(arguments: ["", "a", "\0", "\"\\\n", "ünï 文 🦊", "u\u{308}", String(repeating: "x", count: 300)])
    func `texts come back byte for byte, alone and among others`(text: String) {
        var writer = TicketPayload.Writer()
        writer.append(text)
        writer.append([text, "", text])
        var reader = TicketPayload.Reader(writer.bytes)
        #expect(reader.text().map { Array($0.utf8) } == Array(text.utf8))
        #expect(reader.texts()?.map { Array($0.utf8) } == [Array(text.utf8), [], Array(text.utf8)])
        #expect(reader.isAtEnd)
    }

    @Test(arguments: [
        [], [1], [3, 0x61, 0x62], [1, 0xFF], [2, 0xC3, 0x28], [3, 0xED, 0xA0, 0x80], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
    ])
    func `a text that is cut, or is not UTF-8, is none`(bytes: [UInt8]) {
        var reader = TicketPayload.Reader(bytes)
        #expect(reader.text() == nil)
    }

    @Test(arguments: [[], [1], [2, 0], [1, 1], [0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0]])
    func `a list that tells of more texts than there are is none, whatever number it tells`(bytes: [UInt8]) {
        var reader = TicketPayload.Reader(bytes)
        #expect(reader.texts() == nil)
    }
}
