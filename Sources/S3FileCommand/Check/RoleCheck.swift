import Postgres

/// Whether the role may do what one half does, and no more.
struct RoleCheck: Sendable {
    private static let halves = ["s3file_web", "s3file_worker", "s3file_operator"]

    let client: PostgresClient

    func check(_ report: inout CheckReport) async throws {
        let row = try await self.client.query(
            """
            select current_user::text as name, r.rolsuper as is_superuser,
                   pg_has_role(current_user, n.nspowner, 'usage') as is_owner,
                   array(select h.rolname::text from pg_roles h where h.rolname = any(\(Self.halves))) as there
              from pg_roles r, pg_namespace n where r.rolname = current_user and n.nspname = 's3file'
            """
        )[0]
        let name = try row["name", String.self]
        let there = try row["there", [String].self]
        let absent = Self.halves.filter { !there.contains($0) }
        if !absent.isEmpty {
            report.add(
                .roleLacksRights,
                "There is no role \(absent.joined(separator: ", ")) in this cluster.",
                remedy: absent.map { "create role \($0) nologin;" }.joined(separator: " ") + " select s3file.grant_roles();"
            )
        }
        guard try !row["is_superuser", Bool.self] else {
            report.add(.superuser, "The role \(name) is a superuser.", remedy: Self.remedy)
            return
        }
        guard try !row["is_owner", Bool.self] else {
            report.add(.owner, "The role \(name) owns the tables.", remedy: Self.remedy)
            return
        }
        try await self.checkRights(name, there, &report)
    }

    private static let remedy =
        "create role my_app login password '…'; grant s3file_web to my_app;    -- and s3file_worker to that of the workers"

    /// Of each half: what it may call, and which of that this role may not.
    private func checkRights(_ name: String, _ halves: [String], _ report: inout CheckReport) async throws {
        let rows = try await self.client.query(
            """
            select h.name, count(*) filter (where mine.may) as allowed,
                   array_agg(p.proname::text order by p.proname) filter (where not mine.may) as missing
              from unnest(\(halves)) as h(name)
              join pg_proc p on p.pronamespace = 's3file'::regnamespace and has_function_privilege(h.name, p.oid, 'execute')
             cross join lateral (select has_function_privilege(current_user, p.oid, 'execute') as may) mine
             group by h.name
            """
        )
        var complete: [String] = []
        var partial: [(half: String, missing: [String])] = []
        for row in rows {
            let half = try row["name", String.self]
            let missing = try row["missing", [String]?.self] ?? []
            if missing.isEmpty {
                complete.append(half)
            } else if try row["allowed", Int64.self] > 0 {
                partial.append((half, missing))
            }
        }
        report.note("role", "\(name) has \(complete.isEmpty ? "no half" : complete.sorted().joined(separator: " and "))")
        if complete.isEmpty {
            let lacks = partial.min { $0.missing.count < $1.missing.count }
            report.add(
                .roleLacksRights,
                lacks.map {
                    "The role \(name) may not call \($0.missing.map { "s3file.\($0)" }.joined(separator: ", ")) of \($0.half)."
                }
                    ?? "The role \(name) may call none of the functions.",
                remedy: "grant s3file_web to \(name);    -- of a web process; s3file_worker to that of a worker"
            )
        }
        if complete.contains("s3file_web"), complete.contains("s3file_worker") {
            report.add(
                .bothRoles,
                "The role \(name) has the rights of web processes and those of workers.",
                remedy: "Give each a role of its own: revoke s3file_worker from \(name);"
            )
        }
    }
}
