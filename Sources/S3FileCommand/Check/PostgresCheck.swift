import Foundation
import Logging
import Postgres
import S3File

/// Whether Postgres is there, in the right version, with the right tables, time and way to listen.
struct PostgresCheck: Sendable {
    private static let oldest = 130_000

    let configuration: S3FileConfiguration
    let logger: Logger

    func report(deploy: Bool) async -> CheckReport {
        var report = CheckReport()
        do {
            try await Database.with(self.configuration.databaseURL, logger: self.logger) { client in
                try await self.checkServer(client, deploy: deploy, &report)
                if try await self.checkTables(client, &report) {
                    try await RoleCheck(client: client).check(&report)
                    await self.noteQueues(client, &report)
                }
                await self.checkListening(client, &report)
            }
        } catch let error as PostgresError where error.sqlState == "42501" {
            report.add(
                .roleLacksRights,
                "The database role may not look at the tables: \(error).",
                remedy: "grant s3file_web to my_app;    -- s3file_worker to the role of workers"
            )
        } catch {
            let failure = Failure(error)
            report.add(
                .database,
                "Postgres cannot be used: \(failure.sentence)",
                remedy: "Correct DATABASE_URL, and try it with psql \"$DATABASE_URL\" -c 'select 1'."
            )
        }
        return report
    }

    private func checkServer(_ client: PostgresClient, deploy: Bool, _ report: inout CheckReport) async throws {
        let start = Date()
        let row = try await client.query(
            """
            select current_setting('server_version_num')::bigint as number, current_setting('server_version') as version,
                   clock_timestamp() as now, current_user::text as role, pg_is_in_recovery() as is_standby,
                   coalesce((select s.ssl from pg_stat_ssl s where s.pid = pg_backend_pid()), true) as is_encrypted,
                   coalesce(inet_server_addr() << '127.0.0.0/8' or inet_server_addr() = '::1', true) as is_local
            """
        )[0]
        let end = Date()
        let version = try row["version", String.self]
        report.note("postgres", "version \(version), as \(try row["role", String.self])")
        if try row["number", Int64.self] < Self.oldest {
            report.add(
                .oldPostgres,
                "Postgres has version \(version); 13 is the oldest that will do.",
                remedy: "Upgrade Postgres."
            )
        }
        if try row["is_standby", Bool.self] {
            report.add(
                .database,
                "This Postgres is a standby, and takes nothing.",
                remedy: "Add target_session_attrs=read-write to DATABASE_URL, with all hosts in it, or name the primary."
            )
        }
        if deploy, try !row["is_encrypted", Bool.self], try !row["is_local", Bool.self] {
            report.add(
                .plainPostgres,
                "The connection to Postgres is not encrypted.",
                remedy: "Add sslmode=verify-full to DATABASE_URL, and sslrootcert=system or a file."
            )
        }
        ClockCheck.compare("Postgres", try row["now", Date.self], between: start, and: end, &report)
    }

    /// - Returns: whether the tables are those of this program.
    private func checkTables(_ client: PostgresClient, _ report: inout CheckReport) async throws -> Bool {
        let migrations = try await Migrator.uploads(client).status()
        let missing = migrations.count { $0.state == .pending }
        if missing > 0 {
            report.add(
                .notMigrated,
                "\(missing) migration\(missing == 1 ? " is" : "s are") missing.",
                remedy: "s3file migrate"
            )
        }
        // A newer version that leaves this one working is what a roll-out looks like.
        let odd = migrations.filter { $0.isRefused && $0.state.isBreaking != false }
        if !odd.isEmpty {
            let versions = odd.map { String($0.version) }.joined(separator: ", ")
            report.add(
                .otherTables,
                "The tables are not those of this program (version \(versions)).",
                remedy: "s3file migrate status    # tells how they differ; a newer program may be needed"
            )
        }
        return missing == 0 && odd.isEmpty
    }

    /// What waits. A role that may not ask is told of by ``RoleCheck``.
    private func noteQueues(_ client: PostgresClient, _ report: inout CheckReport) async {
        guard let queues = try? await UploadQueue(client: client).queueStatistics(countingTo: 100_000) else { return }
        for queue in queues {
            let oldest = queue.oldestDueAt.map { Duration.seconds(Int64(max(0, -$0.timeIntervalSinceNow))) } ?? .zero
            report.note(longestWait: oldest)
            let age = queue.oldestDueAt == nil ? "" : ", the oldest for \(oldest.short)"
            let state = queue.isPaused ? "paused, " : ""
            report.note(
                "queue \(queue.name)",
                "\(state)\(queue.due)\(queue.isWhole ? "" : "+") due\(age), \(queue.workers) workers"
            )
        }
    }

    /// By the listener that workers and web processes use: it hears itself by way of the pool, or says why not.
    private func checkListening(_ client: PostgresClient, _ report: inout CheckReport) async {
        var listening = client.configuration
        if let url = self.configuration.listenURL { listening.url = url }
        var quiet = self.logger
        quiet.logLevel = .critical
        let listener = PostgresListener(configuration: listening, channels: [], pingingThrough: client, logger: quiet)
        let failure: String? = await withTaskGroup(of: String??.self) { group in
            group.addTask {
                try? await listener.run()
                return .none
            }
            group.addTask {
                for await notification in listener.notifications {
                    switch notification {
                    case .connected: return .some(nil)
                    case .disconnected(let error): return .some("\(error)")
                    case .notification: continue
                    }
                }
                return .none
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(10))
                return .some("nothing was heard for 10 seconds")
            }
            defer { group.cancelAll() }
            for await answer in group {
                if let answer { return answer }
            }
            return nil
        }
        guard let failure else { return }
        report.add(
            .deaf,
            "A notification does not come back (\(failure)).",
            remedy: "Set S3FILE_LISTEN_URL to Postgres itself, without the transaction pooler."
        )
    }
}
