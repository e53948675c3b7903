import HTTPTypes
import Hummingbird
import NIOCore
import S3

/// `/_faults`, where faults are read (GET), replaced (PUT) and ended (DELETE). No bucket can have that name.
///
///     curl -X PUT --data 'latency=30ms; slow-down rate=0.1 operation=CopyObject' http://127.0.0.1:9000/_faults
struct FaultControl: Sendable {
    static let path = "/_faults"
    private static let maximumLength = 64 * 1024

    let faults: FaultSwitch

    func respond(to request: Request) async throws -> Response {
        // A page that had its name point here would ask under that name; PUT and DELETE of another origin need a preflight,
        // which is not answered.
        guard Self.isLoopback(request.head.authority ?? "") else {
            return Self.text(.forbidden, "Ask for this by a loopback address.\n")
        }
        switch request.method {
        case .get:
            break
        case .put:
            let body = try await request.body.collect(upTo: Self.maximumLength)
            do {
                self.faults.set(try FaultRule.parse(String(buffer: body)))
            } catch {
                return Self.text(.badRequest, "\(error)\n")
            }
        case .delete:
            self.faults.set([])
        default:
            return Self.text(.methodNotAllowed, "GET, PUT or DELETE.\n")
        }
        return Self.text(.ok, self.faults.text)
    }

    private static func isLoopback(_ authority: String) -> Bool {
        let name = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return ["localhost", "127.0.0.1", "[::1]"].contains(String(name))
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
