import Crypto
import Foundation
import Postgres
import Proof

/// A person and an app, who do one history and say what they were told. Whatever fails is tried again, as browsers and apps do.
struct Client: Sendable {
    /// How often an unknown outcome is asked about again, and the pause between.
    private static let tries = 120
    private static let pause = Duration.milliseconds(500)
    /// A sweep may take a file before its form comes; then the person uploads it again.
    private static let uploads = 4

    let history: History
    let seed: UInt64
    let api: WebAPI
    let postgres: PostgresClient
    /// Told what goes wrong, for whoever looks into it.
    let heard: @Sendable (String) -> Void

    private var subject: String { "person \(self.history.number % 50)" }

    func run() async -> [Testimony] {
        var told: [Testimony] = []
        for _ in 0..<Self.uploads where !Task.isCancelled {
            guard let (testimony, isDone) = await self.upload(number: told.count) else { break }
            told.append(testimony)
            if isDone { break }
        }
        return told
    }

    // MARK: A file

    private func upload(number: Int) async -> (Testimony, isDone: Bool)? {
        guard let input = await self.asking({ try await self.api.input(subject: self.subject) }) else { return nil }
        let key = "\(input.folder)/\(self.history.number)-\(number)"
        var told = Testimony(history: self.history, tmpKey: key)
        guard await self.post(input, version: 0, &told) else { return (told, false) }
        if self.history.kind == .unclaimed { return (told, true) }
        if self.history.kind == .late { try? await Task.sleep(for: .milliseconds(self.history.pause)) }
        let form = [
            ["s3file", World.field], ["\(World.field)-s3f-signature", input.ticket], [World.field, key],
            ["\(World.field)-s3f-name", self.history.filename],
        ]
        await self.act(form, input, &told)
        let wasRefused = told.committed.isEmpty && told.answers.contains { if case .refused = $0 { true } else { false } }
        return (told, !wasRefused)
    }

    /// - Returns: whether the store said that it has it.
    private func post(_ input: WebAPI.Input, version: Int, _ told: inout Testimony) async -> Bool {
        let bytes = self.history.bytes(version: version, seed: self.seed)
        let digest = Insecure.MD5.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        if !told.posted.contains(digest) { told.posted.append(digest) }
        let (key, contentType) = (told.tmpKey, self.history.contentType)
        return await self.asking {
            try await self.api.postFile(input, key: key, bytes: bytes, contentType: contentType)
            return true
        } ?? false
    }

    // MARK: Acts

    private func act(_ form: [[String]], _ input: WebAPI.Input, _ told: inout Testimony) async {
        switch self.history.kind {
        case .committed, .late:
            await self.enqueue(form, &told)
        case .unclaimed:
            break
        case .postedTwice:
            async let other = self.enqueued(form)
            await self.enqueue(form, &told)
            told.answers += await other
        case .transaction, .rolledBack:
            await self.transact(form, commits: self.history.kind == .transaction, &told)
        case .released:
            await self.enqueue(form, hold: 600, &told)
            try? await Task.sleep(for: .milliseconds(self.history.pause))
            if let id = told.committed.last { await self.change("release", id, &told) }
        case .forgotten:
            await self.enqueue(form, hold: 5, &told)
        case .cancelled:
            await self.enqueue(form, hold: 600, &told)
            if let id = told.committed.last { await self.change("cancel", id, &told) }
        case .cancelledLate:
            await self.enqueue(form, &told)
            try? await Task.sleep(for: .milliseconds(self.history.pause))
            if let id = told.committed.last { await self.change("cancel", id, &told) }
        case .retried:
            await self.enqueue(form, hold: 600, &told)
            guard let id = told.committed.last else { return }
            await self.change("cancel", id, &told)
            try? await Task.sleep(for: .milliseconds(self.history.pause))
            if self.history.number.isMultiple(of: 2) {
                await self.change("retry", id, &told)
            } else {
                await self.enqueue(form, &told)
            }
        case .changed:
            await self.enqueue(form, &told)
            try? await Task.sleep(for: .milliseconds(self.history.pause / 4))
            _ = await self.post(input, version: 1, &told)
        case .mended:
            await self.enqueue(form, &told)
            guard await self.post(input, version: 1, &told), let id = told.committed.last else { return }
            try? await Task.sleep(for: .milliseconds(self.history.pause))
            guard await self.post(input, version: 0, &told) else { return }
            await self.change("retry", id, &told)
        }
    }

    private func enqueue(_ form: [[String]], hold: Int? = nil, _ told: inout Testimony) async {
        told.answers += await self.enqueued(form, hold: hold)
    }

    private func enqueued(_ form: [[String]], hold: Int? = nil) async -> [Testimony.Answer] {
        await self.answers {
            try await self.api.enqueue(form, subject: self.subject, hold: hold).map { .committed(upload: $0.id, key: $0.key) }
        }
    }

    private func change(_ what: String, _ id: String, _ told: inout Testimony) async {
        told.answers += await self.answers {
            let uploads = try await self.api.change(what, id)
            return uploads.compactMap { upload in
                switch what {
                case "cancel": upload.status == "cancelled" ? .cancelled(upload: upload.id) : nil
                // A sweep may have had the file; then it stays what it is.
                case "retry": ["queued", "moving", "stored"].contains(upload.status) ? .retried(upload: upload.id) : nil
                default: nil
                }
            }
        }
    }

    /// Enqueues in a transaction of the app's own, as the service said how.
    private func transact(_ form: [[String]], commits: Bool, _ told: inout Testimony) async {
        var arguments: [String: String?] = [:]
        let answers = await self.answers {
            arguments = try await self.api.verify(form, subject: self.subject)
            return []
        }
        told.answers += answers.filter { $0 != .unknown }
        guard !arguments.isEmpty, let id = arguments["upload_id"] ?? nil else { return }
        let statement = Self.enqueue(arguments)
        if commits {
            told.answers += await self.answers {
                let row = try await self.postgres.withTransaction { try await $0.query(statement) }[0]
                return [.committed(upload: try row["id", String.self], key: try row["final_key", String.self])]
            }
        } else {
            // However it ends, it does not commit.
            struct Rollback: Error {}
            _ = try? await self.postgres.withTransaction { transaction in
                _ = try await transaction.query(statement)
                throw Rollback()
            }
            told.answers.append(.rolledBack(upload: id))
        }
    }

    /// As any app would write it; the values are ours, and go as literals.
    private static func enqueue(_ arguments: [String: String?]) -> SQL {
        let texts = arguments.sorted { $0.key < $1.key }.map { name, value in
            "\(name) => \(value.map { "'\($0.replacing("'", with: "''"))'" } ?? "null")"
        }
        return SQL(unescaped: "select id::text as id, final_key from s3file.enqueue(\(texts.joined(separator: ", ")))")
    }

    // MARK: Asking again

    /// Asks until somebody knows; what was not answered on the way is said as well.
    private func answers(_ ask: () async throws -> [Testimony.Answer]) async -> [Testimony.Answer] {
        var said: [Testimony.Answer] = []
        for _ in 0..<Self.tries {
            do {
                return said + (try await ask())
            } catch let refused as WebAPI.Refused {
                return said + [.refused(refused.code)]
            } catch let error as PostgresError where Self.isRefusal(error) {
                return said + [.refused(error.sqlState ?? "")]
            } catch is CancellationError {
                return said + [.unknown]
            } catch {
                self.heard("\(error)")
                if said.isEmpty { said.append(.unknown) }
                guard (try? await Task.sleep(for: Self.pause)) != nil else { return said }
            }
        }
        return said
    }

    /// Of the function's own: the tmp object is gone, another's, or another one by now.
    private static func isRefusal(_ error: PostgresError) -> Bool {
        ["SF409", "SF410", "42501"].contains(error.sqlState)
    }

    private func asking<R>(_ ask: () async throws -> R) async -> R? {
        for _ in 0..<Self.tries {
            do {
                return try await ask()
            } catch let refused as WebAPI.Refused {
                self.heard("\(refused)")
                return nil
            } catch is CancellationError {
                return nil
            } catch {
                self.heard("\(error)")
                guard (try? await Task.sleep(for: Self.pause)) != nil else { return nil }
            }
        }
        return nil
    }
}
