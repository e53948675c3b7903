/// An element of a small XML document, with its text and child elements.
package struct XMLElement: Sendable, Hashable {
    /// Without a namespace prefix.
    package var name: String
    package var attributes: [Attribute]
    /// The element's own character data, joined.
    package var text: String
    package var children: [XMLElement]

    package struct Attribute: Sendable, Hashable {
        package var name: String
        package var value: String
    }

    package init(name: String, attributes: [Attribute] = [], text: String = "", children: [XMLElement] = []) {
        self.name = name
        self.attributes = attributes
        self.text = text
        self.children = children
    }

    /// The first child of that name.
    package subscript(_ name: String) -> XMLElement? {
        self.children.first { $0.name == name }
    }

    package func all(_ name: String) -> [XMLElement] {
        self.children.filter { $0.name == name }
    }
}
