import HTTPTypes
import Hummingbird
import NIOCore
import S3

extension HTTPField.Name {
    /// A name of ours. All of them are valid tokens; were one not, the header would be left out rather than the server end.
    static func s3(_ name: String) -> HTTPField.Name? { HTTPField.Name(name) }
}

extension HTTPFields {
    mutating func set(_ name: String, _ value: String?) {
        if let name = HTTPField.Name.s3(name), let value {
            self[name] = value
        }
    }
}

extension Response {
    /// An answer of S3 in XML.
    static func xml(
        _ root: String,
        status: HTTPResponse.Status = .ok,
        namespaced: Bool = true,
        _ content: (inout XMLWriter) throws -> Void
    ) rethrows -> Response {
        var writer = XMLWriter()
        let namespace = [(name: "xmlns", value: "http://s3.amazonaws.com/doc/2006-03-01/")]
        try writer.element(root, attributes: namespaced ? namespace : [], content)
        return Response(
            status: status,
            headers: [.contentType: "application/xml"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: writer.text))
        )
    }

    /// An answer that is one element of text.
    static func xml(_ root: String, text: String) -> Response {
        let name = "\(root) xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
        let document = "\(XMLWriter().text)<\(name)>\(XMLWriter.escape(text))</\(root)>"
        return Response(
            status: .ok,
            headers: [.contentType: "application/xml"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: document))
        )
    }

    /// An error as S3 answers it; a HEAD has no body to say it in.
    static func failure(_ refusal: Refusal, resource: String, requestID: String, isHead: Bool) -> Response {
        let error = refusal.error
        let status = HTTPResponse.Status(code: error.status)
        var response: Response
        if error.status == 304 {
            response = Response(status: status)
        } else if isHead {
            response = Response(status: status, headers: [.contentType: "application/xml"])
        } else {
            response = Response.xml("Error", status: status, namespaced: false) { xml in
                xml.element("Code", text: error.code.rawValue)
                xml.element("Message", text: error.message)
                for element in refusal.elements {
                    xml.element(element.name, text: element.text)
                }
                xml.element("Resource", text: resource)
                xml.element("RequestId", text: requestID)
                xml.element("HostId", text: "S3DevServer")
            }
        }
        for header in refusal.headers {
            response.headers.set(header.name, header.value)
        }
        return response
    }
}
