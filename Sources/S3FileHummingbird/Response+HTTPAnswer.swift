import HTTPTypes
package import Hummingbird
package import S3FileHTTP

extension Response {
    /// - Parameter inbound: ends a stream whose client has gone.
    package init(_ answer: HTTPAnswer, _ inbound: InboundClose) {
        var headers = answer.headers
        let body: ResponseBody
        switch answer.body {
        case .empty: body = ResponseBody()
        case .bytes(let bytes): body = ResponseBody(byteBuffer: bytes)
        case .stream(let stream):
            if inbound.mayBeTold { headers[.connection] = "close" }
            body = ResponseBody { writer in
                let client = PatientWriter(writer)
                try await inbound.cancelling { try await client.write(stream) }
            }
        }
        self.init(status: answer.status, headers: headers, body: body)
    }
}
