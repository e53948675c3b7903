import CLibpq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

enum Request {
    case single(SQL)
    case pipeline([SQL])
    case simple(String)
}

/// One conversation: what is sent, and all that comes back until the server is ready for the next.
struct Exchange {
    let socket: Int32
    let deadline: ContinuousClock.Instant?
    /// Nil when the exchange is shielded from cancellation.
    let interruption: Interruption?
    let hasParameters: Bool
    /// Why the server was asked to stop.
    var stop: PostgresError?
    var cancelRequest: CancelRequest?
    /// When to ask again, as a request that arrives between two statements of a pipeline has no effect.
    var askAgain: ContinuousClock.Instant?
    /// When to stop waiting for the server to stop.
    var giveUp: ContinuousClock.Instant?
    var lost = false

    /// When to look again although nothing came in.
    func wakeUp(after now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard let giveUp = self.giveUp else { return self.deadline }
        guard let askAgain = self.askAgain, askAgain > now else { return giveUp }
        return min(askAgain, giveUp)
    }

    static let patienceForCancel: Duration = .seconds(5)
    static let cancelInterval: Duration = .milliseconds(500)
}

extension PostgresConnection {
    func perform(_ request: Request, timeout: StatementTimeout, shielded: Bool = false) async throws -> [PostgresRows] {
        try request.validate()
        await self.takeTurn()
        defer { self.endTurn() }
        let handle = try self.usableHandle()
        if shielded { return try await self.exchange(request, on: handle, timeout: timeout, interruption: nil) }
        if Task.isCancelled { throw PostgresError.cancelled() }
        let interruption = Interruption()
        return try await withTaskCancellationHandler {
            try await self.exchange(request, on: handle, timeout: timeout, interruption: interruption)
        } onCancel: {
            interruption.request()
            self.control.wake()
        }
    }

    /// The handle, when the connection is open and the server has not ended it meanwhile. What is wrong here was never sent.
    func usableHandle() throws(PostgresError) -> LibpqHandle {
        if self.control.isAborted { throw .closed() }
        guard let handle = self.handle else { throw .closed("The connection to Postgres is not open.") }
        var entry = pollfd(fd: self.control.socket, events: Int16(POLLIN), revents: 0)
        // Between statements the server speaks only to say goodbye, or to send notices and notifications.
        while poll(&entry, 1, 0) > 0 {
            guard PQconsumeInput(handle.pointer) == 1, !handle.isBad, entry.revents & Int16(POLLERR | POLLNVAL) == 0 else {
                var error = PostgresError(.connection, "The server had closed the connection; nothing was sent.")
                error.neverSent = true
                self.discard()
                throw error
            }
        }
        return handle
    }

    private func exchange(
        _ request: Request,
        on handle: LibpqHandle,
        timeout: StatementTimeout,
        interruption: Interruption?
    ) async throws -> [PostgresRows] {
        var exchange = Exchange(
            socket: self.control.socket,
            deadline: self.duration(timeout).map { .now + $0 },
            interruption: interruption,
            hasParameters: request.hasParameters
        )
        self.control.state = .busy
        do {
            try self.send(request, on: handle)
            try await self.flush(handle, &exchange)
            let (results, failure) =
                if case .pipeline(let statements) = request {
                    try await self.collectPipeline(statements.count, handle, &exchange)
                } else {
                    try await self.collect(handle, &exchange)
                }
            try await self.settle(handle, &exchange)
            if let failure {
                // The server is a standby, or has become one: where the URL asks for another kind, the next connection finds it.
                if failure.sqlState == PostgresError.readOnlyTransaction { self.discard(as: .suspect) }
                throw self.explain(failure, exchange, handle)
            }
            if handle.isBad { throw self.explain(self.lostError(handle), exchange, handle) }
            self.noteState(handle)
            return results
        } catch {
            self.noteState(handle)
            throw error
        }
    }

    private func duration(_ timeout: StatementTimeout) -> Duration? {
        switch timeout {
        case .configured: self.configuration.statementTimeout
        case .none: nil
        case .after(let duration): duration
        }
    }

    /// Tells the pool whether the connection can be lent again; a broken one is closed at once.
    private func noteState(_ handle: LibpqHandle) {
        guard self.handle != nil else { return }
        guard !handle.isBad else { return self.discard() }
        switch PQtransactionStatus(handle.pointer) {
        case PQTRANS_IDLE: self.control.state = .ready
        case PQTRANS_INTRANS, PQTRANS_INERROR: self.control.state = .inTransaction
        default: self.discard()
        }
    }

    // MARK: Sending

    private func send(_ request: Request, on handle: LibpqHandle) throws {
        switch request {
        case .single(let sql):
            guard self.send(sql, on: handle) else { throw self.lostError(handle) }
        case .simple(let script):
            guard PQsendQuery(handle.pointer, script) == 1 else { throw self.lostError(handle) }
        case .pipeline(let statements):
            guard PQenterPipelineMode(handle.pointer) == 1 else {
                self.discard()
                throw self.lostError(handle)
            }
            for statement in statements {
                guard self.send(statement, on: handle) else {
                    self.discard()  // half a pipeline is queued, and libpq cannot take it back
                    throw self.lostError(handle)
                }
            }
            guard PQpipelineSync(handle.pointer) == 1 else {
                self.discard()
                throw self.lostError(handle)
            }
        }
    }

    private func send(_ sql: SQL, on handle: LibpqHandle) -> Bool {
        sql.withLibpqParameters { count, types, values, lengths, formats in
            PQsendQueryParams(handle.pointer, sql.text, count, types, values, lengths, formats, 1)
        } == 1
    }

    /// While a long pipeline goes out results come in: unless they are read, both sides wait for the other with full buffers.
    private func flush(_ handle: LibpqHandle, _ exchange: inout Exchange) async throws {
        while true {
            switch PQflush(handle.pointer) {
            case 0: return
            case 1:
                let ready = try await self.wait(POLLIN | POLLOUT, handle, &exchange)
                if ready & Int16(POLLIN) != 0, PQconsumeInput(handle.pointer) != 1 {
                    exchange.lost = true
                    return
                }
            default:
                exchange.lost = true
                return
            }
        }
    }

    // MARK: Receiving

    private func collect(
        _ handle: LibpqHandle,
        _ exchange: inout Exchange
    ) async throws -> (results: [PostgresRows], failure: PostgresError?) {
        var results: [PostgresRows] = []
        var failure: PostgresError?
        while let result = try await self.nextResult(handle, &exchange) {
            defer { PQclear(result) }
            switch try self.read(result, exchange) {
            case .success(let rows): results.append(rows)
            case .failure(let error): failure = failure ?? error
            }
        }
        if results.isEmpty && failure == nil { failure = self.lostError(handle) }
        return (results, failure)
    }

    private func collectPipeline(
        _ count: Int,
        _ handle: LibpqHandle,
        _ exchange: inout Exchange
    ) async throws -> (results: [PostgresRows], failure: PostgresError?) {
        var results: [PostgresRows] = []
        var failure: PostgresError?
        while true {
            guard let result = try await self.nextResult(handle, &exchange) else {
                // NULL stands between statements, but on a lost connection it is all there will ever be.
                if exchange.lost || handle.isBad { return (results, failure ?? self.lostError(handle)) }
                continue
            }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC:
                if PQexitPipelineMode(handle.pointer) != 1 { self.discard() }
                return (results, failure)
            case PGRES_PIPELINE_ABORTED:
                break
            default:
                switch try self.read(result, exchange) {
                case .success(let rows): results.append(rows)
                case .failure(var error):
                    // Past the last one it is the commit that failed, such as a deferred constraint.
                    if results.count < count { error.statementIndex = results.count }
                    failure = failure ?? error
                }
            }
        }
    }

    private func nextResult(_ handle: LibpqHandle, _ exchange: inout Exchange) async throws -> OpaquePointer? {
        while !exchange.lost && PQisBusy(handle.pointer) != 0 {
            _ = try await self.wait(POLLIN, handle, &exchange)
            // A lost connection ends its last result, so `PQgetResult` does not wait for more.
            if PQconsumeInput(handle.pointer) != 1 { exchange.lost = true }
        }
        return PQgetResult(handle.pointer)
    }

    private func read(_ result: OpaquePointer, _ exchange: Exchange) throws -> Result<PostgresRows, PostgresError> {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return .success(ServerResult.rows(result))
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            self.discard()  // the only way out of a COPY nobody takes part in
            throw PostgresError(.invalidParameter, "COPY is not supported here: use insert … select * from unnest(…).")
        default:
            return .failure(ServerResult.error(result, hidingParameters: exchange.hasParameters))
        }
    }

    private func lostError(_ handle: LibpqHandle) -> PostgresError {
        PostgresError(
            .connection,
            ServerResult.connectionLost(PQerrorMessage(handle.pointer).map { String(cString: $0) } ?? "")
        )
    }

    /// A statement that failed because we stopped it says why we did; one on a broken connection says so, whatever else it says.
    private func explain(_ failure: PostgresError, _ exchange: Exchange, _ handle: LibpqHandle) -> PostgresError {
        var failure = failure
        if var stop = exchange.stop, failure.sqlState == "57014" || handle.isBad {
            stop.sqlState = failure.sqlState
            stop.statementIndex = failure.statementIndex
            return stop
        }
        if handle.isBad { failure.code = .connection }
        return failure
    }

    // MARK: Waiting and stopping

    private func wait(_ events: Int32, _ handle: LibpqHandle, _ exchange: inout Exchange) async throws -> Int16 {
        let now = ContinuousClock.now
        if exchange.stop == nil {
            if let reason = self.reasonToStop(exchange, now) {
                exchange.stop = reason
                exchange.giveUp = now + Exchange.patienceForCancel
                self.askToStop(handle, &exchange, now)
            }
        } else if let giveUp = exchange.giveUp, now >= giveUp {
            self.discard(as: .suspect)
            throw exchange.stop ?? .cancelled()
        } else if let askAgain = exchange.askAgain, now >= askAgain, exchange.cancelRequest?.isFinished == true {
            self.askToStop(handle, &exchange, now)
        }
        let watched = exchange.stop == nil ? exchange.interruption : nil
        let watchesAbort = exchange.stop == nil
        return await self.reactor.wait(exchange.socket, events, until: exchange.wakeUp(after: now)) {
            watched?.isRequested == true || (watchesAbort && self.control.isAborted)
        }
    }

    private func reasonToStop(_ exchange: Exchange, _ now: ContinuousClock.Instant) -> PostgresError? {
        if exchange.interruption?.isRequested == true { return .cancelled() }
        if self.control.isAborted { return .closed("The Postgres client was closed while the statement ran.") }
        if let deadline = exchange.deadline, now >= deadline {
            return PostgresError(.timeout, "The statement took longer than it may and was cancelled.")
        }
        return nil
    }

    private func askToStop(_ handle: LibpqHandle, _ exchange: inout Exchange, _ now: ContinuousClock.Instant) {
        exchange.cancelRequest = CancelRequest(handle.pointer, control: self.control)
        exchange.askAgain = now + Exchange.cancelInterval
    }

    /// Waits until a cancel request under way has been delivered: a late one would hit the next statement.
    private func settle(_ handle: LibpqHandle, _ exchange: inout Exchange) async throws {
        guard let cancelRequest = exchange.cancelRequest, let giveUp = exchange.giveUp else { return }
        while !cancelRequest.isFinished, !handle.isBad {
            if ContinuousClock.now >= giveUp { return self.discard() }
            let ready = await self.reactor.wait(exchange.socket, 0, until: giveUp) { cancelRequest.isFinished }
            if ready != 0, PQconsumeInput(handle.pointer) != 1 { return }  // it hung up
        }
    }
}

extension Request {
    var hasParameters: Bool {
        switch self {
        case .single(let sql): !sql.parameters.isEmpty
        case .pipeline(let statements): statements.contains { !$0.parameters.isEmpty }
        case .simple: false
        }
    }

    func validate() throws(PostgresError) {
        switch self {
        case .single(let sql): try sql.validate()
        case .pipeline(let statements): for statement in statements { try statement.validate() }
        case .simple(let script): try SQL(unescaped: script).validate()
        }
    }
}
