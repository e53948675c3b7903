import TestEnvironment
import Testing

/// The plans of every statement inside the functions called by `script`, as `auto_explain` tells them.
func explainedPlans(of script: String, _ url: String) async throws -> String {
    let settings = """
        load 'auto_explain'; set client_min_messages = 'log'; set auto_explain.log_min_duration = 0;
        set auto_explain.log_nested_statements = on; set auto_explain.log_analyze = on; set auto_explain.log_timing = off;
        """
    // What the server logs to its client goes where errors go, so a shell joins the two.
    let result = try await Program.output(
        "sh",
        ["-c", "exec psql -X -q -v ON_ERROR_STOP=1 -d \"$1\" -c \"$2\" 2>&1", "sh", url, settings + script]
    )
    #expect(result.exitCode == 0)
    return result.lines.joined(separator: "\n")
}
