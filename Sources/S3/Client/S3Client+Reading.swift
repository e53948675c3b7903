import NIOCore
import NIOHTTP1

/// The XML of answers that are success.
extension S3Client {
    /// The root of an answer's XML, which must have that name; an `<Error>` under status 200 is thrown as what it is.
    static func document(_ response: S3Response, _ name: String, _ request: S3Request) throws(S3Error) -> XMLElement {
        let document: XMLElement
        do {
            document = try XMLReader.read(
                response.body.readableBytesView,
                limits: XMLReader.Limits(bytes: request.responseLimit)
            )
        } catch {
            throw S3Error(
                .invalidResponse,
                status: response.status,
                message: "\(request.subject): the answer is not the XML it should be. \(error)",
                requestID: response.headers.first(name: "x-amz-request-id"),
                retryable: true
            )
        }
        if document.name == "Error" {
            throw S3Error(status: response.status, headers: response.headers, document: document, subject: request.subject)
        }
        guard document.name == name else {
            throw S3Error(
                .invalidResponse,
                status: response.status,
                message: "\(request.subject): the answer is a <\(document.name.prefix(64))>, not a <\(name)>.",
                requestID: response.headers.first(name: "x-amz-request-id")
            )
        }
        return document
    }

    /// The text that an answer must hold.
    static func required(
        _ element: String,
        in document: XMLElement,
        _ response: S3Response,
        _ request: S3Request
    ) throws(S3Error) -> String {
        guard let text = document[element]?.text, !text.isEmpty else { throw Self.missing(element, response, request) }
        return text
    }

    static func missing(_ element: String, _ response: S3Response, _ request: S3Request) -> S3Error {
        S3Error(
            .invalidResponse,
            status: response.status,
            message: "\(request.subject): the answer has no \(element).",
            requestID: response.headers.first(name: "x-amz-request-id"),
            retryable: true
        )
    }
}
