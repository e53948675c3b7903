import S3

extension FuzzedReader {
    /// What is read is within the limits, and is read again from what the writer makes of it.
    static func checkXML(_ bytes: [UInt8]) throws(InvariantViolation) {
        let limits = XMLReader.Limits(bytes: 4096, depth: 6, elements: 40)
        let document: XMLElement
        do {
            document = try XMLReader.read(bytes, limits: limits)
        } catch {
            try require((0...bytes.count).contains(error.offset), "an error at \(error.offset) of \(bytes.count) bytes")
            return
        }
        try require(bytes.count <= limits.bytes, "a document of \(bytes.count) bytes was read")
        let size = self.size(document)
        try require(size.elements <= limits.elements && size.depth <= limits.depth, "a document of \(size) was read")
        let written = self.written(document)
        let again: XMLElement
        do {
            again = try XMLReader.read(written)
        } catch {
            throw InvariantViolation("what was read cannot be read again: \(error) in \(written.debugDescription)")
        }
        try require(again == document, "what was read is another document when read again: \(written.debugDescription)")
    }

    /// With the text before the children, where the reader joined it.
    private static func written(_ element: XMLElement) -> String {
        let attributes = element.attributes.map { " \($0.name)=\"\(XMLWriter.escape($0.value))\"" }.joined()
        let content = XMLWriter.escape(element.text) + element.children.map { self.written($0) }.joined()
        return "<\(element.name)\(attributes)>\(content)</\(element.name)>"
    }

    private static func size(_ element: XMLElement) -> (elements: Int, depth: Int) {
        let children = element.children.map { self.size($0) }
        return (1 + children.reduce(0) { $0 + $1.elements }, 1 + (children.map(\.depth).max() ?? 0))
    }
}
