import Hummingbird
import S3FileHTTP

extension Response {
    init(_ answer: HTTPAnswer) {
        let body: ResponseBody =
            switch answer.body {
            case .empty: ResponseBody()
            case .bytes(let bytes): ResponseBody(byteBuffer: bytes)
            case .stream(let stream): ResponseBody(asyncSequence: stream)
            }
        self.init(status: answer.status, headers: answer.headers, body: body)
    }
}
