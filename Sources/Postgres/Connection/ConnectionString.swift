import CLibpq

/// What libpq makes of the settings, and what it says when it cannot connect.
enum ConnectionString {
    /// Blocking: it resolves the first host's name.
    static func start(_ configuration: PostgresConfiguration) -> Result<LibpqHandle, PostgresError> {
        guard Self.isValid(configuration.url) else {
            // libpq's own words would quote the string, and with it a password.
            return .failure(
                PostgresError(
                    .configuration,
                    "The database URL is not one that libpq understands: write postgresql://user:password@host:port/database."
                )
            )
        }
        // The URL overrides what comes before it, and is overridden by what comes after.
        let settings: [(String, String)] = [
            ("fallback_application_name", configuration.applicationName),
            ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
            ("dbname", configuration.url),
            ("client_encoding", "UTF8"),
        ]
        let pointer = Self.withCStrings(settings.map(\.0)) { keywords in
            Self.withCStrings(settings.map(\.1)) { values in PQconnectStartParams(keywords, values, 1) }
        }
        guard let pointer else { return .failure(PostgresError(.connection, "There is no memory for a connection to Postgres.")) }
        return .success(LibpqHandle(pointer))
    }

    private static func isValid(_ url: String) -> Bool {
        guard !url.utf8.contains(0) else { return false }
        // A name without "=" and "://" would be taken for a database on the local socket.
        guard url.isEmpty || url.contains("://") || url.contains("=") else { return false }
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(url, &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        return options != nil
    }

    private static func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R) -> R {
        // One buffer of NUL-terminated strings, and where each starts.
        var bytes: [CChar] = []
        var starts: [Int] = []
        for string in strings {
            starts.append(bytes.count)
            bytes.append(contentsOf: string.utf8CString)
        }
        return bytes.withUnsafeBufferPointer { buffer in
            var pointers = starts.map { start in buffer.baseAddress.map { $0 + start } }
            pointers.append(nil)
            return pointers.withUnsafeBufferPointer { pointers in
                // Never empty: the terminating nil is there.
                pointers.baseAddress.map(body)
            }
        } ?? body([nil])
    }

    /// How many hosts share the connect timeout.
    static func hostCount(_ handle: LibpqHandle) -> Int {
        guard let options = PQconninfo(handle.pointer) else { return 1 }
        defer { PQconninfoFree(options) }
        var count = 1
        var option = options
        while let keyword = option.pointee.keyword {
            let name = String(cString: keyword)
            if name == "host" || name == "hostaddr", let value = option.pointee.val {
                count = max(count, String(cString: value).split(separator: ",", omittingEmptySubsequences: false).count)
            }
            option += 1
        }
        return count
    }

    /// Host and port being tried, for error messages.
    static func host(_ handle: LibpqHandle) -> String? {
        guard let host = PQhost(handle.pointer).map({ String(cString: $0) }), !host.isEmpty else { return nil }
        let port = PQport(handle.pointer).map { String(cString: $0) } ?? ""
        return port.isEmpty ? host : "\(host):\(port)"
    }

    static func failure(_ handle: LibpqHandle) -> PostgresError {
        let text = PQerrorMessage(handle.pointer).map { String(cString: $0) } ?? ""
        return Self.failure(text)
    }

    /// Makes an error of libpq's verbose message: several lines when there are several hosts, each server's with its SQLSTATE
    /// (`FATAL:  28P01: password …`) and the place in the server's source.
    static func failure(_ text: String) -> PostgresError {
        var sqlState: String?
        let lines = text.split(whereSeparator: \.isNewline)
            .filter { !$0.hasPrefix("LOCATION:") && !$0.hasPrefix("DETAIL:") && !$0.hasPrefix("\tIs the server") }
            .map { line in
                var parts = line.split(separator: ": ", omittingEmptySubsequences: false)
                if let index = parts.firstIndex(where: { Self.isSQLState($0) }) {
                    sqlState = parts[index].drop { $0 == " " }.description
                    parts.remove(at: index)
                }
                return parts.map { part in part.drop { $0 == " " } }.joined(separator: ": ")
            }
        let reason = lines.isEmpty ? "no reason given" : lines.joined(separator: "; ")
        // Waiting does not help where every host's certificate is refused, or TLS is.
        if !lines.isEmpty, lines.allSatisfy({ $0.contains("certificate") || $0.contains("does not support SSL") }) {
            return PostgresError(
                .configuration,
                "Cannot connect to Postgres: \(reason); check sslmode and sslrootcert of the database URL."
            )
        }
        // Of the string itself, such as a port that is no number: nobody was asked.
        if !lines.isEmpty, lines.allSatisfy({ $0.hasPrefix("invalid ") }) {
            return PostgresError(.configuration, "The database URL cannot be used: \(reason); correct it.")
        }
        return PostgresError(.connection, "Cannot connect to Postgres: \(reason)", sqlState: sqlState)
    }

    private static func isSQLState(_ part: Substring) -> Bool {
        let part = part.drop { $0 == " " }
        return part.utf8.count == 5 && part.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
            && part.utf8.contains { (48...57).contains($0) }
    }
}
