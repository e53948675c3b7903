/// A header value with parameters, as `form-data; name="a"; filename="b"`.
///
/// Quoted values follow the WHATWG's form encoding rather than MIME: a backslash is a backslash, and `"`, CR and LF come as
/// `%22`, `%0D` and `%0A` (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data).
struct ParameterizedHeader {
    /// The value before the first parameter, in lower case.
    var value: String
    /// The parameters as sent, under their names in lower case.
    var parameters: [String: String] = [:]

    init(_ text: String, named headerName: String) throws {
        let malformed = MultipartError.malformed("The \(headerName) header of the form is malformed.")
        let bytes = Array(text.utf8)
        var index = 0

        func skipSpace() {
            while index < bytes.count, bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\t") {
                index += 1
            }
        }
        func token() -> ArraySlice<UInt8> {
            let start = index
            while index < bytes.count, Self.isTokenByte(bytes[index]) {
                index += 1
            }
            return bytes[start..<index]
        }

        skipSpace()
        let start = index
        while index < bytes.count, Self.isTokenByte(bytes[index]) || bytes[index] == UInt8(ascii: "/") {
            index += 1
        }
        self.value = String(decoding: bytes[start..<index], as: UTF8.self).lowercased()
        guard !self.value.isEmpty else {
            throw malformed
        }
        while true {
            skipSpace()
            if index == bytes.count {
                return
            }
            guard bytes[index] == UInt8(ascii: ";") else {
                throw malformed
            }
            index += 1
            skipSpace()
            if index == bytes.count {
                return
            }
            let name = String(decoding: token(), as: UTF8.self).lowercased()
            guard !name.isEmpty, index < bytes.count, bytes[index] == UInt8(ascii: "=") else {
                throw malformed
            }
            index += 1
            let parameter: ArraySlice<UInt8>
            if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
                guard let end = bytes[(index + 1)...].firstIndex(of: UInt8(ascii: "\"")) else {
                    throw malformed
                }
                parameter = bytes[(index + 1)..<end]
                index = end + 1
            } else {
                parameter = token()
                guard !parameter.isEmpty else {
                    throw malformed
                }
            }
            guard self.parameters.updateValue(String(decoding: parameter, as: UTF8.self), forKey: name) == nil else {
                throw MultipartError.malformed("The \(headerName) header of the form repeats a parameter.")
            }
        }
    }

    /// Undoes the three percent escapes that browsers write in names and file names, and no other.
    static func decodingFormEscapes(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count {
                let replacement: UInt8?
                switch (bytes[index + 1], bytes[index + 2]) {
                case (UInt8(ascii: "2"), UInt8(ascii: "2")): replacement = UInt8(ascii: "\"")
                case (UInt8(ascii: "0"), UInt8(ascii: "D")), (UInt8(ascii: "0"), UInt8(ascii: "d")):
                    replacement = UInt8(ascii: "\r")
                case (UInt8(ascii: "0"), UInt8(ascii: "A")), (UInt8(ascii: "0"), UInt8(ascii: "a")):
                    replacement = UInt8(ascii: "\n")
                default: replacement = nil
                }
                if let replacement {
                    decoded.append(replacement)
                    index += 3
                    continue
                }
            }
            decoded.append(bytes[index])
            index += 1
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
            return true
        default:
            return "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
