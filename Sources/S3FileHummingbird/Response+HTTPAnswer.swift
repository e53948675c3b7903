import Hummingbird
import S3FileHTTP

extension Response {
    /// - Parameter inbound: ends a stream whose client has gone.
    init(_ answer: HTTPAnswer, _ inbound: InboundClose) {
        let body: ResponseBody =
            switch answer.body {
            case .empty: ResponseBody()
            case .bytes(let bytes): ResponseBody(byteBuffer: bytes)
            case .stream(let stream):
                ResponseBody { writer in
                    let client = PatientWriter(writer)
                    try await inbound.cancelling { try await client.write(stream) }
                }
            }
        self.init(status: answer.status, headers: answer.headers, body: body)
    }
}
