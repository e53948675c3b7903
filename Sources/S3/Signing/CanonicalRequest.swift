/// Headers in the form in which they are signed: names in lower case and in order, equal names joined, blanks folded.
struct CanonicalHeaders {
    /// `host;x-amz-date`
    let names: String
    /// A line for each name.
    let lines: [UInt8]

    /// - Parameter only: the names to take, in lower case; nil for all. One that is not among the headers has an empty value.
    init(_ headers: [(name: String, value: String)], only: [String]? = nil) {
        var headers = headers.map { (name: Self.lowercased($0.name), value: $0.value) }
        if let only {
            headers.removeAll { !only.contains($0.name) }
            for name in only where !headers.contains(where: { $0.name == name }) { headers.append((name, "")) }
        }
        // Few enough to sort by hand, and stable: equal names keep their order.
        for index in headers.indices.dropFirst() {
            var index = index
            while index > 0, headers[index].name < headers[index - 1].name {
                headers.swapAt(index, index - 1)
                index -= 1
            }
        }
        var names = ""
        var lines: [UInt8] = []
        lines.reserveCapacity(512)
        for (index, header) in headers.enumerated() {
            if index > 0, headers[index - 1].name == header.name {
                lines[lines.count - 1] = UInt8(ascii: ",")
            } else {
                if index > 0 { names += ";" }
                names += header.name
                lines.append(contentsOf: header.name.utf8)
                lines.append(UInt8(ascii: ":"))
            }
            Self.append(header.value, to: &lines)
            lines.append(UInt8(ascii: "\n"))
        }
        self.names = names
        self.lines = lines
    }

    private static func lowercased(_ name: String) -> String {
        name.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 >= 0x80 } ? name.lowercased() : name
    }

    /// Without surrounding blanks, and runs of blanks as one space.
    private static func append(_ value: String, to bytes: inout [UInt8]) {
        var isPending = false
        var isFirst = true
        for byte in value.utf8 {
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                isPending = !isFirst
            } else {
                if isPending { bytes.append(UInt8(ascii: " ")) }
                bytes.append(byte)
                isPending = false
                isFirst = false
            }
        }
    }
}

/// The text whose hash is signed.
///
/// ([AWS: Signature Calculations](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html))
struct CanonicalRequest {
    let bytes: [UInt8]
    let signedHeaders: String

    /// - Parameter headers: instead of the request's own.
    init(_ request: SigV4.Request, headers: CanonicalHeaders) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        bytes.append(contentsOf: request.method.utf8)
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: request.path.utf8)
        bytes.append(UInt8(ascii: "\n"))
        if !request.query.isEmpty {
            let pairs = request.query
                .map { (name: URIEncoding.encode($0.name), value: URIEncoding.encode($0.value)) }
                .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            for (index, pair) in pairs.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: "&")) }
                bytes.append(contentsOf: pair.name.utf8)
                bytes.append(UInt8(ascii: "="))
                bytes.append(contentsOf: pair.value.utf8)
            }
        }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: headers.lines)
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: headers.names.utf8)
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: request.payloadHash.utf8)
        self.bytes = bytes
        self.signedHeaders = headers.names
    }
}
