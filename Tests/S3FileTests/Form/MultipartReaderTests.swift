import NIOCore
import S3File
import Testing

@Suite("Multipart forms")
struct MultipartReaderTests {
    struct Part: Hashable {
        var name: String
        var filename: String?
        var contentType: String?
        var bytes: [UInt8]

        init(_ name: String, filename: String? = nil, contentType: String? = nil, _ bytes: some Sequence<UInt8>) {
            self.name = name
            self.filename = filename
            self.contentType = contentType
            self.bytes = Array(bytes)
        }
    }

    private func read(
        _ chunks: [ByteBuffer],
        boundary: String = "xYz",
        limits: MultipartLimits = MultipartLimits()
    ) async throws -> [Part] {
        let body = AsyncStream<ByteBuffer> { continuation in
            for chunk in chunks {
                continuation.yield(chunk)
            }
            continuation.finish()
        }
        var reader = MultipartReader(body: body, boundary: try MultipartBoundary(boundary), limits: limits)
        var parts: [Part] = []
        while let part = try await reader.nextPart() {
            var bytes: [UInt8] = []
            while let chunk = try await reader.nextBytes() {
                #expect(chunk.readableBytes > 0)
                bytes += chunk.readableBytesView
            }
            parts.append(Part(part.name, filename: part.filename, contentType: part.contentType, bytes))
        }
        return parts
    }

    private func read(_ text: String, boundary: String = "xYz", limits: MultipartLimits = MultipartLimits()) async throws
        -> [Part]
    {
        try await self.read([ByteBuffer(string: text)], boundary: boundary, limits: limits)
    }

    private func part(_ disposition: String, _ content: String = "v", headers: String = "") -> String {
        "--xYz\r\nContent-Disposition: \(disposition)\r\n\(headers)\r\n\(content)\r\n--xYz--\r\n"
    }

    private static let tricky: [UInt8] =
        Array("--xYz\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\ntmp/a\r\n".utf8)
        + Array("--xYz\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n".utf8)
        + Array("--xYz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n".utf8)
        + Array("Content-Type: application/octet-stream\r\n\r\n".utf8)
        + Array("\r\n\r\n--xY\r\r\n--xYy\r\n-\r\n--".utf8) + [0, 255, 13, 10, 13] + Array("\r\n--xYz--\r\n".utf8)

    private static let trickyParts = [
        Part("key", "tmp/a".utf8),
        Part("empty", "".utf8),
        Part(
            "file",
            filename: "a.bin",
            contentType: "application/octet-stream",
            Array("\r\n\r\n--xY\r\r\n--xYy\r\n-\r\n--".utf8) + [0, 255, 13, 10, 13]
        ),
    ]

    @Test("Parts come out byte for byte wherever two chunks meet")
    func everySplit() async throws {
        for split in 0...Self.tricky.count {
            let chunks = [ByteBuffer(bytes: Self.tricky[..<split]), ByteBuffer(bytes: Self.tricky[split...])]
            #expect(try await self.read(chunks) == Self.trickyParts, "split at \(split)")
        }
    }

    @Test("Parts come out byte for byte from chunks of any one length", arguments: [1, 2, 3, 5, 7, 11, 64])
    func everyChunkLength(length: Int) async throws {
        let chunks = stride(from: 0, to: Self.tricky.count, by: length).map {
            ByteBuffer(bytes: Self.tricky[$0..<min($0 + length, Self.tricky.count)])
        }
        #expect(try await self.read(chunks) == Self.trickyParts)
    }

    @Test("Random bytes between random chunk ends come out as they went in")
    func randomBodies() async throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            // Few distinct bytes, so that beginnings of delimiters are frequent.
            let content = (0..<Int.random(in: 0...400, using: &random)).map { _ in
                Array("\r\n-xYz".utf8).randomElement(using: &random) ?? 0
            }
            let delimiter = Array("\r\n--xYz".utf8)
            if content.indices.contains(where: { content[$0...].starts(with: delimiter) }) {
                continue
            }
            let body =
                Array("--xYz\r\nContent-Disposition: form-data; name=f; filename=n\r\n\r\n".utf8) + content
                + Array("\r\n--xYz--".utf8)
            var chunks: [ByteBuffer] = []
            var rest = body[...]
            while !rest.isEmpty {
                let length = Int.random(in: 1...min(40, rest.count), using: &random)
                chunks.append(ByteBuffer(bytes: rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            #expect(try await self.read(chunks) == [Part("f", filename: "n", content)])
        }
    }

    @Test("A part left unread is skipped")
    func skipping() async throws {
        let body = AsyncStream<ByteBuffer> { continuation in
            for byte in Self.tricky {
                continuation.yield(ByteBuffer(bytes: [byte]))
            }
            continuation.finish()
        }
        var reader = MultipartReader(body: body, boundary: try MultipartBoundary("xYz"))
        var names: [String] = []
        while let part = try await reader.nextPart() {
            names.append(part.name)
        }
        #expect(names == ["key", "empty", "file"])
        #expect(try await reader.nextBytes() == nil)
    }

    @Test("Exactly the three escapes of browsers are undone in names, and a backslash stays one")
    func escapes() async throws {
        let parts = try await self.read(self.part(#"form-data; name="a%22b%0D%0Ac%25"; filename="100%\%20ü %22x%22.txt""#))
        #expect(parts == [Part("a\"b\r\nc%25", filename: #"100%\%20ü "x".txt"#, "v".utf8)])
    }

    @Test("An empty file name is kept apart from none")
    func emptyFilename() async throws {
        #expect(try await self.read(self.part(#"form-data; name="f"; filename="""#, "")).first?.filename == "")
        #expect(try await self.read(self.part(#"form-data; name="f""#)).first?.filename == nil)
    }

    @Test(
        "A malformed body is refused, never repaired",
        arguments: [
            "", "x--xYz\r\n", "\r\n--xYz\r\n", "--xYz", "--xYz\r\n", "--xYzq\r\n",
            "--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\nv",
            "--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xYzq",
            "--xYz\r\nContent-Disposition: form-data; name=a\n\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=\"a\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=a; filename*=utf-8''b\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nv\r\n--xYz--",
            "--xYz\r\n: form-data; name=a\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Disposition: form-data; name=\"a\u{1}\"\r\n\r\nv\r\n--xYz--",
            "--xYz\r\nContent-Type: text/plain\r\n\r\nv\r\n--xYz--",
        ]
    )
    func malformed(body: String) async throws {
        await #expect(throws: MultipartError.self) { try await self.read(body) }
    }

    @Test("Headers that are not UTF-8 are refused")
    func notUTF8() async throws {
        let body = Array("--xYz\r\nContent-Disposition: form-data; name=\"".utf8) + [0xFF] + Array("\"\r\n\r\nv\r\n--xYz--".utf8)
        await #expect(throws: MultipartError.self) { try await self.read([ByteBuffer(bytes: body)]) }
    }

    @Test("A body that breaks off is told apart from a malformed one, at every byte")
    func truncated() async throws {
        for length in 0..<(Self.tricky.count - 2) {
            let error = await #expect(throws: MultipartError.self) {
                try await self.read([ByteBuffer(bytes: Self.tricky[..<length])])
            }
            #expect(error?.code == .truncated)
        }
    }

    @Test("Header bytes, parts and field sizes have bounds, and a file has none")
    func bounds() async throws {
        let limits = MultipartLimits(headerBytes: 60, parts: 2, fieldBytes: 3, fileFields: ["upload"])
        let long = String(repeating: "n", count: 60)
        for body in [
            self.part("form-data; name=\(long)"),
            "--xYz\r\nContent-Disposition: form-data; name=" + long + long,
            self.part("form-data; name=a", "four"),
            String(repeating: "--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n", count: 3) + "--xYz--",
        ] {
            let error = await #expect(throws: MultipartError.self) { try await self.read(body, limits: limits) }
            #expect(error?.code == .tooLarge)
        }
        #expect(try await self.read(self.part("form-data; name=a", "123"), limits: limits).count == 1)
        #expect(try await self.read(self.part("form-data; name=a; filename=b", "1234"), limits: limits).count == 1)
        #expect(try await self.read(self.part("form-data; name=upload", "1234"), limits: limits).count == 1)
    }

    @Test("What follows the closing delimiter is not read")
    func epilogue() async throws {
        #expect(try await self.read(self.part("form-data; name=a") + "--xYz\r\nanything").count == 1)
    }

    @Test("A boundary is taken from the content type only in the form RFC 2046 allows")
    func boundaries() throws {
        #expect(try MultipartBoundary(contentType: "multipart/form-data; boundary=abc").bytes == Array("abc".utf8))
        #expect(
            try MultipartBoundary(contentType: "Multipart/Form-Data;charset=utf-8; Boundary=\"a b:c\"").bytes
                == Array("a b:c".utf8)
        )
        for bad in [
            "multipart/form-data", "multipart/mixed; boundary=a", "multipart/form-data; boundary=", "text/plain",
            "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"a{\"", "multipart/form-data; boundary=a b",
            "multipart/form-data; boundary=" + String(repeating: "a", count: 71), "multipart/form-data; boundary=\"\"", "",
        ] {
            #expect(throws: MultipartError.self) { try MultipartBoundary(contentType: bad) }
        }
        #expect(try MultipartBoundary(String(repeating: "a", count: 70)).bytes.count == 70)
    }
}
