import HTTPTypes
import Logging
import NIOCore
import S3File
import S3FileHTTP

/// A request to one of the ``ServiceEndpoints``, as an adapter makes it of its own.
struct ServiceRequest: Sendable {
    var headers: HTTPFields
    /// What the route's path names.
    var parameters: [String: String] = [:]
    /// The query's names and values, decoded, in their order.
    var query: [(name: String, value: String)] = []
    /// At most ``ServiceEndpoints/largestBody`` bytes.
    var body = ByteBuffer()
    /// Who asks.
    var key: APIKey
    var logger: Logger

    /// The body's one value.
    ///
    /// - Throws: ``Problem``.
    func json() throws(Problem) -> LocatedJSON {
        let type = self.headers[.contentType]?.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
        guard type == "application/json" else {
            throw Problem(
                status: .unsupportedMediaType,
                code: "unsupported_media_type",
                detail: "The body must be JSON: send it with Content-Type: application/json."
            )
        }
        do {
            return try LocatedJSON(parsing: self.body.readableBytesView)
        } catch {
            throw Problem(
                status: .badRequest,
                code: "malformed_json",
                detail: "The body is not JSON as it must be. \(error.sentence)"
            )
        }
    }

    /// Takes the body apart.
    ///
    /// - Throws: ``Problem`` that tells all that is wrong with it.
    func read<Value>(
        members: [String],
        _ body: (inout JSONReading, JSONReading.Object) throws(Problem) -> Value?
    ) throws(Problem) -> Value {
        let json = try self.json()
        var reading = JSONReading()
        var value: Value?
        if let object = reading.object(json, at: "", members: members) {
            value = try body(&reading, object)
        }
        do {
            try reading.finish()
        } catch {
            throw Problem(error)
        }
        guard let value else {
            throw Problem(status: .unprocessableContent, code: "invalid_request", detail: "The body says nothing.")
        }
        return value
    }
}

extension Problem {
    /// What is wrong with a body that is JSON, but not what was asked for.
    init(_ faults: JSONFaults) {
        self.init(
            status: .unprocessableContent,
            code: "invalid_request",
            detail: faults.first.sentence,
            errors: faults.all.prefix(100).map {
                Fault(field: $0.path.isEmpty ? nil : $0.path, code: "invalid", detail: $0.sentence)
            }
        )
    }
}
