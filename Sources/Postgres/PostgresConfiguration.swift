/// Where Postgres is, and how patient we are with it.
package struct PostgresConfiguration: Sendable {
    /// A [connection string](https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING) of libpq: a URI or keywords, with
    /// `sslmode`, `target_session_attrs`, several hosts and the rest. What it leaves out comes from `PG…` variables and `.pgpass`.
    package var url: String
    /// What `pg_stat_activity` shows, unless the URL says otherwise.
    package var applicationName: String
    package var maximumConnections: Int
    /// How long a connection may take to open, and how long a query waits for a connection to become free.
    package var connectTimeout: Duration
    /// When a statement takes longer, it is cancelled and fails with `.timeout`.
    package var statementTimeout: Duration?
    /// On shutdown, how long queries under way may take before they are cancelled.
    package var shutdownGrace: Duration

    package init(
        url: String,
        applicationName: String = "s3file",
        maximumConnections: Int = 8,
        connectTimeout: Duration = .seconds(10),
        statementTimeout: Duration? = .seconds(30),
        shutdownGrace: Duration = .seconds(5)
    ) {
        self.url = url
        self.applicationName = applicationName
        self.maximumConnections = maximumConnections
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.shutdownGrace = shutdownGrace
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the URL, which may hold a password.
    package var description: String { "PostgresConfiguration(applicationName: \(self.applicationName))" }
    package var debugDescription: String { self.description }
    /// `dump` of a struct that holds it goes through the mirror.
    package var customMirror: Mirror { Mirror(self, children: ["applicationName": self.applicationName]) }
}

/// How long one call may take.
package enum StatementTimeout: Sendable, Hashable {
    /// ``PostgresConfiguration/statementTimeout``
    case configured
    case none
    case after(Duration)
}
