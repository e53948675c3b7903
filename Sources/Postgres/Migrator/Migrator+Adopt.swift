package import Logging

/// For databases whose files were run by psql alone: what is there is compared with what the migrations make, and then recorded.
extension Migrator {
    /// Records the versions up to this one as applied, without running them, if what they make is really there.
    ///
    /// - Returns: the versions that had not been recorded before.
    package func adopt(_ version: Int, logger: Logger) async throws -> [Migration] {
        try self.validate(target: version)
        return try await self.locked(logger) { connection in
            let record = try await MigrationRecord(connection)
            try self.check(record)
            let missing = self.migrations.filter { $0.version <= version && record[$0.version] == nil }
            guard let last = missing.last else { return [] }
            let steps = try await self.stepsThere(upTo: last, connection)
            try await connection.simple(self.record)
            for step in steps where !record.contains(step) { try await MigrationRecord.note(step, connection) }
            logger.info("Adopted what was there", metadata: ["migration.version": "\(last.version)"])
            return missing
        }
    }

    /// The newest version whose result is there to the letter; nil when there is none.
    func adoptable(_ logger: Logger) async -> Int? {
        for migration in self.migrations.reversed() {
            let steps = try? await self.locked(logger) { try await self.stepsThere(upTo: migration, $0) }
            if steps != nil { return migration.version }
        }
        return nil
    }

    /// The steps up to a version, if what they make is there. The last one's post part is among them only if it shows.
    private func stepsThere(upTo last: Migration, _ connection: PostgresConnection) async throws -> [MigrationStep] {
        let steps = self.migrations.filter { $0.version <= last.version }.flatMap { migration in
            [Migration.Part.pre, .post].filter { migration[$0] != nil }.map { MigrationStep(migration: migration, part: $0) }
        }
        let difference = try await self.difference(steps.filter { $0.migration != last || $0.part == .pre }, connection)
        if difference.isEmpty { return steps.filter { $0.migration != last || $0.part == .pre } }
        if last.post != nil, try await self.difference(steps, connection).isEmpty { return steps }
        let names = difference.prefix(5).joined(separator: ", ")
        throw MigrationError(
            .notThere,
            """
            The database does not have what the migrations up to \(last.version) make, so they cannot be adopted. Missing or different: \
            \(names)\(difference.count > 5 ? ", and \(difference.count - 5) more" : "").
            """
        )
    }

    /// What these steps make and the database does not have, or has otherwise. What it has beyond that is its owner's.
    ///
    /// Makes it all once more, in a schema that nobody else ever sees: the real one has another name until the savepoint brings it back.
    private func difference(_ steps: [MigrationStep], _ connection: PostgresConnection) async throws -> [String] {
        try await connection.query("savepoint comparing")
        let there = try await self.objects(connection)
        try await connection.query("rollback to savepoint comparing")
        guard !there.isEmpty else { return ["everything"] }
        try await connection.query("alter schema s3file rename to s3file_as_it_was_found")
        for statement in steps.flatMap({ $0.migration[$0.part]?.statements ?? [] }) {
            // Nothing is in these tables, so nothing is gained by building their indexes beside their use.
            try await connection.simple(statement.text.replacing(/\bconcurrently\b/.ignoresCase(), with: ""))
        }
        let made = try await self.objects(connection)
        try await connection.query("rollback to savepoint comparing")
        return made.filter { there[$0.key] != $0.value }.keys.sorted()
    }

    /// Every object of the schema by its name, with its definition; without what is a DBA's to choose, such as storage settings and grants.
    private func objects(_ connection: PostgresConnection) async throws -> [String: String] {
        // Names in definitions are then qualified, all of them.
        try await connection.query("set local search_path = pg_catalog")
        let rows = try await connection.query(
            """
            with relation as (
                select c.oid, c.relname, c.relkind from pg_class c
                 where c.relnamespace = to_regnamespace('s3file') and c.relname not like 'schema\\_migration%')
            select case relkind when 'v' then 'view ' when 'S' then 'sequence ' else 'table ' end || relname as name,
                   relkind::text || coalesce(case when relkind in ('v', 'm') then pg_get_viewdef(oid) end, '') as definition
              from relation where relkind not in ('i', 'I')
            union all
            select 'column ' || r.relname || '.' || a.attname,
                   concat_ws(' ', format_type(a.atttypid, a.atttypmod), nullif(a.attcollation, 0)::regcollation, a.attnotnull, a.attidentity, a.attgenerated,
                             pg_get_expr(d.adbin, d.adrelid))
              from relation r join pg_attribute a on a.attrelid = r.oid
              left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attnum > 0 and not a.attisdropped and r.relkind in ('r', 'p', 'v', 'm')
            union all
            select 'constraint ' || r.relname || '.' || c.conname, pg_get_constraintdef(c.oid)
              from relation r join pg_constraint c on c.conrelid = r.oid
            union all
            select 'index ' || r.relname, pg_get_indexdef(i.indexrelid) || i.indisvalid
              from relation r join pg_index i on i.indexrelid = r.oid
            union all
            select 'trigger ' || r.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
              from relation r join pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal
            union all
            select 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid)
              from pg_proc p where p.pronamespace = to_regnamespace('s3file') and p.prokind in ('f', 'p')
            union all
            select 'type ' || t.typname,
                   concat_ws(' ', t.typtype, format_type(t.typbasetype, t.typtypmod),
                             (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
              from pg_type t where t.typnamespace = to_regnamespace('s3file') and t.typtype in ('d', 'e')
            """
        )
        return Dictionary(
            try rows.map { (try $0["name", String.self], try $0["definition", String.self]) },
            uniquingKeysWith: { one, _ in one }
        )
    }
}
