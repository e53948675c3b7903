/// Takes a JSON text apart by what is expected of it, and goes on after a fault, so that all that is wrong is told at once.
struct JSONReading {
    /// An object whose members were checked against the names that are known.
    struct Object {
        var members: [String: LocatedJSON]
        var place: LocatedJSON.Place
        /// Where it stands, such as `fields[0]`; empty at the top.
        var path: String

        func path(of name: String) -> String { self.path.isEmpty ? name : self.path + "." + name }
    }

    private(set) var faults: [JSONFault] = []

    mutating func blame(_ json: LocatedJSON, _ path: String, _ message: String) {
        self.faults.append(JSONFault(place: json.place, path: path, message: message))
    }

    mutating func blame(_ object: Object, _ name: String, _ message: String) {
        self.faults.append(
            JSONFault(place: object.members[name]?.place ?? object.place, path: object.path(of: name), message: message)
        )
    }

    /// - Throws: all the faults so far, if there are any.
    func finish() throws(JSONFaults) {
        if let faults = JSONFaults(self.faults) { throw faults }
    }

    // MARK: Values

    /// An object with no other members than these.
    mutating func object(_ json: LocatedJSON, at path: String, members known: [String]) -> Object? {
        guard case .object(let members) = json.value else {
            self.blame(json, path, "it must be an object, and is \(json.kind)")
            return nil
        }
        for member in members where !known.contains(member.name) {
            let name = JSONParser.shortened(member.name)
            self.faults.append(
                JSONFault(
                    place: member.place,
                    path: path,
                    message: "\"\(name)\" is not known; it may have \(known.joined(separator: ", "))"
                )
            )
        }
        let named = members.filter { known.contains($0.name) }.map { ($0.name, $0.value) }
        return Object(members: Dictionary(named) { first, _ in first }, place: json.place, path: path)
    }

    /// - Parameter bytes: how long it may be.
    mutating func text(_ object: Object, _ name: String, bytes: ClosedRange<Int>) -> String? {
        guard let json = object.members[name] else { return nil }
        guard let text = self.text(json, at: object.path(of: name), bytes: bytes) else { return nil }
        return text
    }

    mutating func text(_ json: LocatedJSON, at path: String, bytes: ClosedRange<Int>) -> String? {
        guard case .text(let text) = json.value else {
            self.blame(json, path, "it must be a text, and is \(json.kind)")
            return nil
        }
        guard bytes.contains(text.utf8.count) else {
            self.blame(json, path, "it must have \(bytes.lowerBound) to \(bytes.upperBound) bytes, and has \(text.utf8.count)")
            return nil
        }
        return text
    }

    mutating func requiredText(_ object: Object, _ name: String, bytes: ClosedRange<Int>) -> String? {
        guard object.members[name] != nil else {
            self.blame(object, name, "it is missing")
            return nil
        }
        return self.text(object, name, bytes: bytes)
    }

    mutating func integer(_ object: Object, _ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let json = object.members[name] else { return nil }
        guard let integer = json.integer, range.contains(integer) else {
            self.blame(object, name, "it must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integer
    }

    mutating func flag(_ object: Object, _ name: String) -> Bool? {
        guard let json = object.members[name] else { return nil }
        guard case .bool(let flag) = json.value else {
            self.blame(object, name, "it must be true or false, and is \(json.kind)")
            return nil
        }
        return flag
    }

    mutating func list(_ object: Object, _ name: String, count: ClosedRange<Int>) -> [LocatedJSON]? {
        guard let json = object.members[name] else { return nil }
        guard case .list(let elements) = json.value else {
            self.blame(object, name, "it must be a list, and is \(json.kind)")
            return nil
        }
        guard count.contains(elements.count) else {
            self.blame(object, name, "it must have \(count.lowerBound) to \(count.upperBound) entries, and has \(elements.count)")
            return nil
        }
        return elements
    }

    /// Names and texts, such as a file's tags.
    mutating func texts(_ object: Object, _ name: String, count: Int, bytes: ClosedRange<Int>) -> [String: String]? {
        guard let json = object.members[name] else { return nil }
        guard case .object(let members) = json.value else {
            self.blame(object, name, "it must be an object, and is \(json.kind)")
            return nil
        }
        guard members.count <= count else {
            self.blame(object, name, "it may have \(count) members, and has \(members.count)")
            return nil
        }
        var texts: [String: String] = [:]
        for member in members {
            texts[member.name] = self.text(
                member.value,
                at: object.path(of: name) + "." + JSONParser.shortened(member.name),
                bytes: bytes
            )
        }
        return texts
    }
}

/// All that is wrong with a JSON text; at least one.
struct JSONFaults: Error, Sendable {
    let first: JSONFault
    let others: [JSONFault]

    init?(_ faults: [JSONFault]) {
        guard let first = faults.first else { return nil }
        (self.first, self.others) = (first, Array(faults.dropFirst()))
    }

    init(_ fault: JSONFault) {
        (self.first, self.others) = (fault, [])
    }

    var all: [JSONFault] { [self.first] + self.others }
}
