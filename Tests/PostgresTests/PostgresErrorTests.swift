import Foundation
import TestEnvironment
import Testing

@testable import Postgres

@Suite("PostgresError")
struct PostgresErrorTests {
    @Test("a constraint's violation names it, and neither the error nor its debug text holds a parameter's value")
    func constraints() async throws {
        try await withTestDatabase { client, _ in
            try await client.withConnection {
                try await $0.simple(
                    "create table person (id int8 primary key, email text not null unique check (email <> 'bad@secret'))"
                )
            }
            try await client.query("insert into person values (1, \("hidden@secret"))")

            func expectError(_ sql: SQL, _ state: String, constraint: String?, column: String?) async {
                let error = await #expect(throws: PostgresError.self) { try await client.query(sql) }
                #expect(error?.code == .server)
                #expect(error?.sqlState == state)
                #expect(error?.constraintName == constraint)
                #expect(error?.columnName == column)
                for text in [error?.description, error.map { String(reflecting: $0) }] {
                    #expect(text?.contains(state) == true)
                    #expect(text?.contains("secret") == false)
                }
            }
            await expectError(
                "insert into person values (2, \("hidden@secret"))",
                "23505",
                constraint: "person_email_key",
                column: nil
            )
            await expectError(
                "insert into person values (2, \("bad@secret"))",
                "23514",
                constraint: "person_email_check",
                column: nil
            )
            await expectError("insert into person values (2, \(String?.none))", "23502", constraint: nil, column: "email")
            await expectError("select \("my secret")::int8", "22P02", constraint: nil, column: nil)
            await expectError("select \("a\"secret\"b")::uuid", "22P02", constraint: nil, column: nil)
            await expectError("select \("secret")::timestamptz", "22007", constraint: nil, column: nil)
            await expectError("select \("secret")::json", "22P02", constraint: nil, column: nil)
            await expectError("select \("{secret")::int8[]", "22P02", constraint: nil, column: nil)
            await expectError("select \("{secret,\"a\"\"secret}")::text[]", "22P02", constraint: nil, column: nil)
            await expectError("select to_timestamp(\("secret"), 'YYYY')", "22007", constraint: nil, column: nil)
            await expectError("select now() at time zone \("secret")", "22023", constraint: nil, column: nil)
            await expectError("select regexp_match('', \("(secret"))", "2201B", constraint: nil, column: nil)
            await expectError("select set_config('work_mem', \("secret"), true)", "22023", constraint: nil, column: nil)
            // Names that come as values.
            await expectError("select \("secret")::regclass", "42P01", constraint: nil, column: nil)
            await expectError("select \("secret")::regrole", "42704", constraint: nil, column: nil)
            await expectError("select \("secret")::regproc", "42883", constraint: nil, column: nil)
        }
    }

    @Test("whatever way an error is printed, the parameters of its statement, the rows they hit and the context are not in it")
    func printing() async throws {
        try await withTestDatabase { client, _ in
            try await client.withConnection {
                try await $0.simple(
                    """
                    create table person (email text unique);
                    create function add(email text) returns void language plpgsql as $$
                    begin
                        execute format('insert into person values (%L)', email);
                        perform email::int8;
                    end $$;
                    """
                )
            }
            try await client.query("insert into person values (\("hidden@secret"))")
            for statement: SQL in [
                "select add(\("hidden@secret"))", "select add(\("other@secret"))",
                "insert into person select unnest(\(["a@secret", "hidden@secret"]))",
            ] {
                for pipelined in [false, true] {
                    let error = await #expect(throws: PostgresError.self) {
                        if pipelined {
                            try await client.pipeline(["select 1", statement])
                        } else {
                            try await client.query(statement)
                        }
                    }
                    var dumped = ""
                    dump(error, to: &dumped)
                    let printed = [
                        error.map { "\($0)" }, error.map { String(reflecting: $0) }, error?.localizedDescription, dumped,
                    ]
                    for text in printed { #expect(text?.contains("secret") == false, "\(text ?? "")") }
                }
            }
        }
    }

    @Test("what the server says about the statement itself is kept")
    func statements() async throws {
        try await withTestDatabase { client, _ in
            let error = await #expect(throws: PostgresError.self) { try await client.query("select * from nowhere") }
            #expect(error?.sqlState == "42P01")
            #expect(error?.description == #"relation "nowhere" does not exist (SQLSTATE 42P01)"#)
            #expect(error?.position == 15)
        }
    }

    @Test("a failed connection's words become one sentence with its SQLSTATE")
    func connectionFailures() {
        let refused = ConnectionString.failure(
            """
            connection to server at "127.0.0.1", port 1 failed: Connection refused
            \tIs the server running on that host and accepting TCP/IP connections?

            """
        )
        #expect(
            refused.description
                == #"Cannot connect to Postgres: connection to server at "127.0.0.1", port 1 failed: Connection refused"#
        )
        #expect(!refused.isPermanentRefusal)
        let password = ConnectionString.failure(
            """
            connection to server at "db", port 5432 failed: FATAL:  28P01: password authentication failed for user "app"
            LOCATION:  auth_failed, auth.c:326

            """
        )
        #expect(password.sqlState == "28P01")
        #expect(
            password.description
                == #"Cannot connect to Postgres: connection to server at "db", port 5432 failed: FATAL: password authentication failed for user "app" (SQLSTATE 28P01)"#
        )
        #expect(password.isPermanentRefusal)
    }

    @Test("a URL libpq does not understand is refused without repeating it")
    func badURLs() async {
        for url in ["postgres//app:hunter2@db/app", "postgresql://app:hunter2%zz@db/app", "host=db pass hunter2"] {
            let connection = PostgresConnection(configuration: PostgresConfiguration(url: url))
            let error = await #expect(throws: PostgresError.self) { try await connection.connect() }
            #expect(error?.code == .configuration)
            #expect(error?.description.contains("hunter2") == false)
            #expect(error?.description.contains("postgresql://user:password@host:port/database") == true)
        }
    }
}
