import Foundation

/// What `JSONDecoder` does not tell: whether an object names a member twice. Of such a text every reader makes something else.
enum JSONMembers {
    /// - Parameter json: a text that is known to be JSON.
    static func areUnique(in json: some Collection<UInt8>) -> Bool {
        let bytes = Array(json)
        /// Of each object and list around the place: the names so far; nil for a list.
        var names: [Set<[UInt8]>?] = []
        var isName = false
        var position = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"):
                names.append([])
                isName = true
            case UInt8(ascii: "["):
                names.append(nil)
                isName = false
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = names.popLast()
                isName = false
            case UInt8(ascii: ","):
                isName = names.last.map { $0 != nil } ?? false
            case UInt8(ascii: "\""):
                let end = Self.end(ofTextAt: position, in: bytes)
                if isName, !names.isEmpty {
                    guard names[names.count - 1]?.insert(Self.spelled(bytes[position..<end])).inserted ?? true else {
                        return false
                    }
                    isName = false
                }
                position = end
                continue
            default: break
            }
            position += 1
        }
        return true
    }

    /// Behind its closing quotation mark.
    private static func end(ofTextAt start: Int, in bytes: [UInt8]) -> Int {
        var position = start + 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(position + 1, bytes.count)
    }

    /// A name without its escapes, so that two spellings of it are one.
    private static func spelled(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.contains(UInt8(ascii: "\\")), let name = try? JSONDecoder().decode(String.self, from: Data(text)) else {
            return Array(text.dropFirst().dropLast())
        }
        return Array(name.utf8)
    }
}
