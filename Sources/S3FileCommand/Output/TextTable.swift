/// Lines of cells, each column as wide as its widest cell, for people.
struct TextTable {
    /// Of one column.
    enum Alignment { case left, right }

    private let header: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    init(_ columns: [(name: String, alignment: Alignment)]) {
        self.header = columns.map(\.name)
        self.alignments = columns.map(\.alignment)
    }

    mutating func add(_ cells: [String]) {
        // Names of files may hold anything; a table keeps its lines.
        self.rows.append(cells.map(Self.printable))
    }

    var isEmpty: Bool { self.rows.isEmpty }

    /// - Parameter withHeader: not on the second page of a list.
    func lines(withHeader: Bool = true) -> [String] {
        let lines = (withHeader ? [self.header] : []) + self.rows
        let widths = self.header.indices.map { column in ([self.header] + self.rows).map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            let line = zip(cells.indices, cells).map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return self.alignments[column] == .left ? cell + padding : padding + cell
            }.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// Without what could move the cursor, or turn the direction of the text.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: "\u{FFFD}"
                    default: scalar
                    }
                }
            )
        )
    }
}
