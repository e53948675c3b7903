import Foundation
import Hummingbird
import S3

extension Operations {
    /// ListObjectsV2; without `list-type=2` the first version, which old clients still speak.
    func listObjects(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let isSecond = request.parameter("list-type") == "2"
        if let type = request.parameter("list-type"), type != "2" {
            throw S3Error.invalidArgument("Invalid List Type specified in Request")
        }
        let prefix = request.parameter("prefix") ?? ""
        let delimiter = request.parameter("delimiter") ?? ""
        let maximum = try self.maximum(request, "max-keys")
        let encodes = try self.encodesKeys(request)
        let showsOwner = !isSecond || request.parameter("fetch-owner") == "true"
        var list = Listing.Request(prefix: Array(prefix.utf8), delimiter: Array(delimiter.utf8), maximum: maximum)
        if isSecond, let token = request.parameter("continuation-token") {
            list.after = try Self.position(ofToken: token)
        } else if let start = request.parameter(isSecond ? "start-after" : "marker"), !start.isEmpty {
            // The first version's marker may be a common prefix that was already listed. The prefix itself is none of those.
            let isGroup =
                !isSecond && !delimiter.isEmpty && start.hasSuffix(delimiter) && start.utf8.count > prefix.utf8.count
            list.after = isGroup ? .prefix(Array(start.utf8)) : .key(Array(start.utf8))
        }
        let listing = try await self.disk.run { [list] in try $0.list(bucket, list) }

        func encoded(_ bytes: some Collection<UInt8>) -> String {
            encodes ? URIEncoding.encode(bytes, keepSlash: true) : String(decoding: bytes, as: UTF8.self)
        }
        return Response.xml("ListBucketResult") { xml in
            xml.element("Name", text: bucket)
            xml.element("Prefix", text: encoded(prefix.utf8))
            if !delimiter.isEmpty {
                xml.element("Delimiter", text: encoded(delimiter.utf8))
            }
            xml.element("MaxKeys", text: String(maximum))
            if encodes {
                xml.element("EncodingType", text: "url")
            }
            xml.element("IsTruncated", text: listing.next == nil ? "false" : "true")
            if isSecond {
                xml.element("KeyCount", text: String(listing.objects.count + listing.prefixes.count))
                if let token = request.parameter("continuation-token") {
                    xml.element("ContinuationToken", text: token)
                }
                if let start = request.parameter("start-after") {
                    xml.element("StartAfter", text: encoded(start.utf8))
                }
                if let next = listing.next {
                    xml.element("NextContinuationToken", text: Self.token(of: next))
                }
            } else {
                xml.element("Marker", text: encoded((request.parameter("marker") ?? "").utf8))
                // Without a delimiter the last key is the marker, which clients of the first version know.
                if let next = listing.next, !delimiter.isEmpty {
                    xml.element("NextMarker", text: encoded(next.bytes))
                }
            }
            for (key, entry) in listing.objects {
                xml.element("Contents") { xml in
                    xml.element("Key", text: encoded(key.bytes))
                    xml.element("LastModified", text: Timestamp.iso8601(entry.modifiedDate))
                    self.describe(entry, to: &xml)
                    if showsOwner {
                        self.owner(to: &xml)
                    }
                }
            }
            for prefix in listing.prefixes {
                xml.element("CommonPrefixes") { $0.element("Prefix", text: encoded(prefix)) }
            }
        }
    }

    /// A parameter that says how many items a page has: up to 1,000, also when more are asked for.
    func maximum(_ request: S3Request, _ name: String) throws(S3Error) -> Int {
        guard let text = request.parameter(name), !text.isEmpty else {
            return 1000
        }
        guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
            throw .invalidArgument("Provided \(name) not an integer or within integer range")
        }
        return min(number, 1000)
    }

    func encodesKeys(_ request: S3Request) throws(S3Error) -> Bool {
        guard let type = request.parameter("encoding-type") else {
            return false
        }
        guard type == "url" else {
            throw .invalidArgument("Invalid Encoding Method specified in Request")
        }
        return true
    }

    // Tokens are opaque to clients: the place where the page ended, in Base64.
    private static func token(of position: Listing.Position) -> String {
        switch position {
        case .key(let bytes): Data([UInt8(ascii: "k")] + bytes).base64EncodedString()
        case .prefix(let bytes): Data([UInt8(ascii: "p")] + bytes).base64EncodedString()
        }
    }

    private static func position(ofToken token: String) throws(S3Error) -> Listing.Position {
        guard let data = Data(base64Encoded: token), let kind = data.first, (2...1025).contains(data.count) else {
            throw .invalidArgument("The continuation token provided is incorrect")
        }
        switch kind {
        case UInt8(ascii: "k"): return .key(Array(data.dropFirst()))
        case UInt8(ascii: "p"): return .prefix(Array(data.dropFirst()))
        default: throw .invalidArgument("The continuation token provided is incorrect")
        }
    }
}

extension Listing.Position {
    var bytes: [UInt8] {
        switch self {
        case .key(let bytes), .prefix(let bytes): bytes
        }
    }
}
