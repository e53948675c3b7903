import CLibpq

/// Copies what we need out of a `PGresult`, whose memory ends with `PQclear`.
enum ServerResult {
    static func rows(_ result: OpaquePointer) -> PostgresRows {
        let rowCount = Int(PQntuples(result))
        let columnCount = Int(PQnfields(result))
        var columns: [PostgresRows.Column] = []
        columns.reserveCapacity(columnCount)
        for column in 0..<Int32(columnCount) {
            columns.append(
                PostgresRows.Column(
                    name: PQfname(result, column).map { String(cString: $0) } ?? "",
                    type: PostgresType(oid: PQftype(result, column))
                )
            )
        }
        var bytes: [UInt8] = []
        var cells: [Range<Int>?] = []
        cells.reserveCapacity(rowCount * columnCount)
        for row in 0..<Int32(rowCount) {
            for column in 0..<Int32(columnCount) {
                guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
                    cells.append(nil)
                    continue
                }
                let start = bytes.count
                let length = Int(PQgetlength(result, row, column))
                bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: length))
                cells.append(start..<start + length)
            }
        }
        return PostgresRows(
            storage: PostgresRows.Storage(columns: columns, bytes: bytes, cells: cells),
            affected: PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0,
            commandTag: PQcmdStatus(result).map { String(cString: $0) } ?? "",
            count: rowCount
        )
    }

    /// The field codes of [PQresultErrorField](https://www.postgresql.org/docs/15/libpq-exec.html#LIBPQ-PQRESULTERRORFIELD);
    /// in C they are macros of characters. DETAIL ('D') is missing on purpose: it quotes values.
    private enum Field: Unicode.Scalar {
        case sqlState = "C"
        case message = "M"
        case position = "P"
        case internalPosition = "p"
        case schema = "s"
        case table = "t"
        case column = "c"
        case dataType = "d"
        case constraint = "n"
    }

    /// - Parameter hidingParameters: The statement had parameters, whose values the server's words may repeat.
    static func error(_ result: OpaquePointer, hidingParameters: Bool) -> PostgresError {
        func field(_ field: Field) -> String? {
            PQresultErrorField(result, Int32(field.rawValue.value)).map { String(cString: $0) }
        }
        guard let sqlState = field(.sqlState) else {
            let message = PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
            return PostgresError(.connection, Self.connectionLost(message))
        }
        var error = PostgresError(.server, field(.message) ?? "", sqlState: sqlState)
        // An unknown name that stands in the SQL text comes with its place; without one it was a value, such as that of a `$1::regclass`.
        let namesValue =
            hidingParameters && field(.position) == nil && field(.internalPosition) == nil && sqlState.hasPrefix("42")
        if sqlState.hasPrefix("22") || namesValue { error.message = Self.withoutQuotedValue(error.message) }
        error.schemaName = field(.schema)
        error.tableName = field(.table)
        error.columnName = field(.column)
        error.dataTypeName = field(.dataType)
        error.constraintName = field(.constraint)
        error.position = field(.position).flatMap { Int($0) }
        return error
    }

    /// What libpq says when the connection broke, as one sentence.
    static func connectionLost(_ message: String) -> String {
        let first = message.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
        return "The connection to Postgres was lost: \(first)"
    }

    /// Data exceptions (class 22) quote the offending value in their message, from the first quotation mark to the last.
    static func withoutQuotedValue(_ message: String) -> String {
        guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last else {
            return message
        }
        return message[...first] + "…" + message[last...]
    }
}
