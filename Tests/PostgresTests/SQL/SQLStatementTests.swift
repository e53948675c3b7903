import Postgres
import Testing

@Suite("SQLStatement")
struct SQLStatementTests {
    private func texts(_ script: String) -> [String] { SQLStatement.all(in: script).map(\.text) }

    @Test("a script is split at its semicolons, and comments between statements belong to none")
    func splits() {
        #expect(
            self.texts("-- first; one\nselect 1;\n/* a; /* b; */ ; */ select\n  2 ; ;;\n-- last") == ["select 1", "select\n  2 "]
        )
        #expect(self.texts("") == [])
        #expect(self.texts("select 1") == ["select 1"])
    }

    @Test(
        "semicolons in quotes, comments and parentheses end nothing",
        arguments: [
            "select 'a;b'", "select 'it''s;'", "select e'\\';'", "select E'\\\\' || 'x;'", "select \";\" from t",
            "select \"a\"\";\"",
            "select $$ ; $x$ ; $$", "select $tag$ ; $$ ; $tag$", "select 1 -- ;\n + 2", "select 1 /* ; */ + 2",
            "create rule r as on insert to t do (select 1; select 2)", "select $ü$;$ü$",
        ]
    )
    func keepsTogether(statement: String) {
        #expect(self.texts("\(statement);select 3") == [statement, "select 3"])
    }

    @Test("what only looks like a quote ends at the semicolon")
    func looksLikeQuotes() {
        #expect(
            self.texts("select $1; select a$b$ from c; select 'x\\'; select type'y';") == [
                "select $1", "select a$b$ from c", "select 'x\\'", "select type'y'",
            ]
        )
    }

    @Test("each statement knows how many characters come before it")
    func offsets() {
        let script = "-- é👩🏽\nselect 1;\r\n\tselect 2"
        #expect(SQLStatement.all(in: script).map(\.offset) == [7, 19])
    }
}
