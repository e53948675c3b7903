import HTTPTypes
import Logging
import NIOCore
import NIOConcurrencyHelpers
import S3File
import S3FileHTTP
import TestEnvironment

extension TestSite {
    func intake(
        fields: [UploadField],
        mode: FormIntake.Mode = .held,
        limits: FormBody.Limits = .init()
    ) -> FormIntake {
        FormIntake(uploads: self.uploads, fields: fields, mode: mode, limits: limits)
    }
}

extension FormIntake {
    /// Takes a multipart form from ada.
    func take<Body: AsyncSequence & Sendable>(_ body: Body, headers: HTTPFields = [:]) async throws -> Outcome
    where Body.Element == ByteBuffer, Body.AsyncIterator: SendableMetatype {
        var headers = headers
        headers[.contentType] = MultipartPost.contentType
        let request = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/", headerFields: headers)
        return try await self.take(request, body: body, subject: { "ada" }, logger: .quiet)
    }
}

extension FormIntake.Outcome {
    /// Status, and the answer's text, of a refusal.
    var refusal: (status: Int, text: String)? {
        guard case .refused(let answer) = self, case .bytes(let bytes) = answer.body else { return nil }
        return (answer.status.code, String(buffer: bytes))
    }
}

/// A body that comes when the test says so.
final class HeldBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let stream: AsyncThrowingStream<ByteBuffer, any Error>
    private let continuation: AsyncThrowingStream<ByteBuffer, any Error>.Continuation
    private let asked = NIOLockedValueBox(0)

    init() {
        (self.stream, self.continuation) = AsyncThrowingStream.makeStream()
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: self.stream.makeAsyncIterator(), asked: self.asked) }

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: AsyncThrowingStream<ByteBuffer, any Error>.AsyncIterator
        let asked: NIOLockedValueBox<Int>

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
            self.asked.withLockedValue { $0 += 1 }
            return try await self.base.next(isolation: actor)
        }

        mutating func next() async throws -> ByteBuffer? { try await self.next(isolation: #isolation) }
    }

    func send(_ text: String) { self.continuation.yield(ByteBuffer(string: text)) }

    func send(_ bytes: ByteBuffer) { self.continuation.yield(bytes) }

    /// Sends the headers of a file and some of its bytes, and waits until they were read.
    func beginning(of field: String, filename: String, bytes: Int = 600) async throws {
        self.send(
            "--\(MultipartPost.boundary)\r\nContent-Disposition: form-data; name=\"\(field)\"; filename=\"\(filename)\"\r\n\r\n"
        )
        self.send(String(repeating: "x", count: bytes))
        try await eventually("its beginning was read") { self.asked.withLockedValue { $0 >= 3 } }
    }

    /// The last boundary, and the end.
    func end() {
        self.send("\r\n--\(MultipartPost.boundary)--\r\n")
        self.continuation.finish()
    }

    /// The end of the connection; where there is an error, that of the framework.
    func hangUp(_ error: (any Error)? = nil) { self.continuation.finish(throwing: error) }
}

/// A form with one file of so many zeros, or of zeros without an end.
struct ZeroBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    var field = "documents"
    /// Nil for ever.
    var size: Int64?
    /// What was taken of it.
    let taken = NIOLockedValueBox<Int64>(0)

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(field: self.field, left: self.size, taken: self.taken)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        private static let zeros = ByteBuffer(repeating: 0, count: 65_536)

        let field: String
        var left: Int64?
        let taken: NIOLockedValueBox<Int64>
        private var step = 0

        init(field: String, left: Int64?, taken: NIOLockedValueBox<Int64>) {
            self.field = field
            self.left = left
            self.taken = taken
        }

        mutating func next() async throws -> ByteBuffer? {
            switch self.step {
            case 0:
                self.step = 1
                return ByteBuffer(
                    string:
                        "--\(MultipartPost.boundary)\r\nContent-Disposition: form-data; name=\"\(self.field)\"; filename=\"zeros\"\r\n\r\n"
                )
            case 1:
                let count = Swift.min(self.left ?? .max, Int64(Self.zeros.readableBytes))
                self.left = self.left.map { $0 - count }
                if count > 0 {
                    self.taken.withLockedValue { $0 += count }
                    return Self.zeros.getSlice(at: 0, length: Int(count))
                }
                self.step = 2
                return ByteBuffer(string: "\r\n--\(MultipartPost.boundary)--\r\n")
            default: return nil
            }
        }
    }
}
