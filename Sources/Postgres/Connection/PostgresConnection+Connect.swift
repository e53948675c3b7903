import CLibpq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension PostgresConnection {
    /// Opens the connection, within ``PostgresConfiguration/connectTimeout``.
    ///
    /// `PQconnectStart` and every `PQconnectPoll` run on a thread pool, since both may resolve a name, read `.pgpass` or certificates.
    package func connect() async throws {
        await self.takeTurn()
        defer { self.endTurn() }
        if self.handle != nil { return }
        guard self.control.state == .unconnected else {
            throw PostgresError.closed("A connection to Postgres opens once: make another.")
        }
        let interruption = Interruption()
        do {
            let handle = try await withTaskCancellationHandler {
                try await self.open(interruption)
            } onCancel: {
                interruption.request()
                self.control.wake()
            }
            self.handle = handle
            self.control.socket = PQsocket(handle.pointer)
            self.control.state = .ready
        } catch {
            self.discard()
            throw error
        }
    }

    private func open(_ interruption: Interruption) async throws -> LibpqHandle {
        let start = ContinuousClock.now
        let deadline = start + self.configuration.connectTimeout
        let configuration = self.configuration
        let started = try await BlockingCalls.run(on: BlockingCalls.connecting, until: deadline, otherwise: self.timedOut()) {
            ConnectionString.start(configuration)
        }
        let handle = try started.get()
        let pointer = handle.pointer
        if handle.isBad { throw ConnectionString.failure(handle) }
        clibpq_silence_notices(pointer)
        // With it, the message of a failed connection carries the SQLSTATE, which no function gives out.
        PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        let share = self.configuration.connectTimeout / ConnectionString.hostCount(handle)
        var addressDeadline = start + share
        var want = PGRES_POLLING_WRITING
        while want != PGRES_POLLING_OK {
            if want == PGRES_POLLING_FAILED { throw ConnectionString.failure(handle) }
            let socket = PQsocket(pointer)  // another one for each address
            self.control.socket = socket
            let ready = await self.reactor.wait(
                socket,
                want == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                until: min(deadline, addressDeadline)
            ) { interruption.isRequested || self.control.isAborted }
            if interruption.isRequested { throw PostgresError.cancelled() }
            if self.control.isAborted { throw PostgresError.closed() }
            let now = ContinuousClock.now
            if now >= deadline { throw self.timedOut(host: ConnectionString.host(handle)) }
            if ready == 0 {
                // Woken for nothing, or this host does not answer. libpq would wait for the kernel to give up, some minutes, before it
                // tries the next host: a shut socket fails at once.
                if now >= addressDeadline {
                    addressDeadline = now + share
                    shutdown(socket, Int32(SHUT_RDWR))
                }
                continue
            }
            want = try await BlockingCalls.run(on: BlockingCalls.connecting, until: deadline, otherwise: self.timedOut()) {
                PQconnectPoll(handle.pointer)
            }
        }
        PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
        guard PQsetnonblocking(pointer, 1) == 0 else { throw ConnectionString.failure(handle) }
        return handle
    }

    private func timedOut(host: String? = nil) -> PostgresError {
        let place = host.map { " at \($0)" } ?? ""
        return PostgresError(
            .connection,
            "Postgres\(place) did not answer within \(self.configuration.connectTimeout): check that it runs and that DATABASE_URL names it."
        )
    }
}
