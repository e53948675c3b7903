import Synchronization

/// What one statement returned, copied out of libpq: one buffer of bytes, and where each value is in it.
package struct PostgresRows: RandomAccessCollection, Sendable {
    struct Column: Sendable {
        var name: String
        var type: PostgresType
    }

    final class Storage: Sendable {
        let columns: [Column]
        let bytes: [UInt8]
        /// Row by row; nil is NULL.
        let cells: [Range<Int>?]
        /// The column after the one that was asked for last: rows are mostly read in the order of their columns, again and again. A guess that
        /// concurrent readers may spoil for each other.
        private let likelyNext = Atomic(0)
        /// Of several columns of one name the first is meant, so there is no guessing.
        private let hasUniqueNames: Bool

        init(columns: [Column], bytes: [UInt8], cells: [Range<Int>?]) {
            self.columns = columns
            self.bytes = bytes
            self.cells = cells
            self.hasUniqueNames = Set(columns.lazy.map(\.name)).count == columns.count
        }

        func column(named name: String) -> Int? {
            let guess = self.likelyNext.load(ordering: .relaxed)
            let isRight = self.hasUniqueNames && guess < self.columns.count && self.columns[guess].name == name
            guard let column = isRight ? guess : self.columns.firstIndex(where: { $0.name == name }) else { return nil }
            self.likelyNext.store(column + 1 == self.columns.count ? 0 : column + 1, ordering: .relaxed)
            return column
        }
    }

    let storage: Storage
    /// Rows inserted, updated, deleted, merged or selected.
    package let affected: Int
    /// The server's command tag, such as `INSERT 0 1`.
    let commandTag: String
    package let count: Int

    package var startIndex: Int { 0 }
    package var endIndex: Int { self.count }

    package subscript(position: Int) -> PostgresRow {
        precondition(position >= 0 && position < self.count, "Row \(position) of \(self.count)")
        return PostgresRow(storage: self.storage, index: position)
    }
}

/// One row; values are decoded when asked for: `try row["size", Int64.self]`.
package struct PostgresRow: Sendable {
    let storage: PostgresRows.Storage
    let index: Int

    package var columnNames: [String] { self.storage.columns.map(\.name) }

    /// The column's value, by its name in the result.
    package subscript<Value: PostgresDecodable>(_ name: String, _ type: Value.Type) -> Value {
        get throws(PostgresError) {
            guard let column = self.storage.column(named: name) else {
                var error = PostgresError(
                    .decoding,
                    "There is no column \"\(name)\" in the result, only \(self.columnNames.joined(separator: ", "))."
                )
                error.columnName = name
                throw error
            }
            return try Value.decode(self.cell(column))
        }
    }

    /// The column's value, by its place.
    package subscript<Value: PostgresDecodable>(_ column: Int, _ type: Value.Type) -> Value {
        get throws(PostgresError) {
            guard self.storage.columns.indices.contains(column) else {
                throw PostgresError(
                    .decoding,
                    "There is no column \(column) in the result, it has \(self.storage.columns.count)."
                )
            }
            return try Value.decode(self.cell(column))
        }
    }

    private func cell(_ column: Int) -> PostgresCell {
        PostgresCell(
            bytes: self.storage.cells[self.index * self.storage.columns.count + column].map { self.storage.bytes[$0] },
            type: self.storage.columns[column].type,
            column: self.storage.columns[column].name
        )
    }
}
