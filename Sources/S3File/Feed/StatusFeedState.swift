import struct Foundation.UUID

/// Who waits for news of which uploads, what they know, and what is to be read next: a state without sockets. ``StatusFeed`` does it.
///
/// However many wait, an upload is read once for all of them. Whoever waits is told the latest state only: what was not collected is
/// overwritten, so that a slow one costs no more than a quick one.
struct StatusFeedState {
    typealias Instant = ContinuousClock.Instant

    struct WatcherID: Hashable, Sendable { var number: Int }

    /// What there is for one who waits.
    enum Collected: Equatable {
        case news(changed: [Upload], gone: [UUID], position: Int64?)
        case nothing
        case closed
    }

    /// One statement by primary keys.
    struct Read: Equatable, Sendable {
        var number: Int
        var ids: [UUID]
    }

    /// A copy's progress makes no event, so what moves is read this often.
    static let movingInterval = Duration.milliseconds(900)
    /// What else is not final is read this often, in case its event was missed: it belonged to a transaction that took a minute to commit.
    static let waitingInterval = Duration.seconds(5)
    /// An end may be taken back, by a retry.
    static let finalInterval = Duration.seconds(30)
    static let largestRead = 2_000

    private struct Watcher {
        /// The last read that had begun when it came. What that one finds may be older than what the watcher knows.
        var joined: Int
        /// What it knows of each, as a hash of the record; nil once it is gone.
        var told: [UUID: Int?]
        var news: [UUID: Upload] = [:]
        var gone: Set<UUID> = []
        var isParked = false
        var until: Instant?
    }

    private struct Watched {
        var watchers: [WatcherID] = []
        var status: UploadStatus
        var readAt: Instant?
    }

    private(set) var isClosed = false
    private var watchers: [WatcherID: Watcher] = [:]
    private var watched: [UUID: Watched] = [:]
    private var lastWatcher = 0
    private var reads = 0
    private var due: Set<UUID> = []
    private var scannedAt: Instant?
    /// Unknown until the first look after nobody waited, and after one failed.
    private(set) var position: EventPosition?

    var count: Int { self.watchers.count }
    var isWatched: Bool { !self.watchers.isEmpty }

    // MARK: Coming and going

    /// - Parameter known: what it was told already. Each is read anew soon, as it may have changed meanwhile.
    mutating func join(_ known: [Upload]) -> WatcherID {
        self.lastWatcher += 1
        let id = WatcherID(number: self.lastWatcher)
        self.watchers[id] = Watcher(
            joined: self.reads,
            told: Dictionary(known.map { ($0.id, $0.hashValue) }) { first, _ in first }
        )
        for upload in known {
            self.watched[upload.id, default: Watched(status: upload.status)].watchers.append(id)
            self.due.insert(upload.id)
        }
        return id
    }

    mutating func leave(_ id: WatcherID) {
        guard let watcher = self.watchers.removeValue(forKey: id) else { return }
        for upload in watcher.told.keys {
            self.watched[upload]?.watchers.removeAll { $0 == id }
            if self.watched[upload]?.watchers.isEmpty == true {
                self.watched[upload] = nil
                self.due.remove(upload)
            }
        }
        // From here on nobody looks, and what happens meanwhile is nobody's news.
        if self.watchers.isEmpty { self.position = nil }
    }

    mutating func close() -> [WatcherID] {
        self.isClosed = true
        return self.unpark { _ in true }
    }

    // MARK: Collecting

    /// What there is for it, and takes it away; `nil` when there is nothing yet: it is parked then, until one of the others returns its id.
    mutating func collect(_ id: WatcherID, until: Instant, now: Instant) -> Collected? {
        guard !self.isClosed, var watcher = self.watchers[id] else { return .closed }
        defer { self.watchers[id] = watcher }
        watcher.isParked = false
        if !watcher.news.isEmpty || !watcher.gone.isEmpty {
            let changed = watcher.news.values.sorted { ($0.updatedAt, $0.id.uuidString) < ($1.updatedAt, $1.id.uuidString) }
            for upload in changed { watcher.told[upload.id] = upload.hashValue }
            for upload in watcher.gone { watcher.told[upload] = .some(nil) }
            let gone = Array(watcher.gone)
            (watcher.news, watcher.gone) = ([:], [])
            return .news(changed: changed, gone: gone, position: self.position?.last)
        }
        guard now < until else { return .nothing }
        watcher.isParked = true
        watcher.until = until
        return nil
    }

    func isParked(_ id: WatcherID) -> Bool { self.watchers[id]?.isParked ?? false }

    /// It does not wait any more.
    mutating func unpark(_ id: WatcherID) {
        self.watchers[id]?.isParked = false
    }

    /// Those whose time is over.
    mutating func tick(now: Instant) -> [WatcherID] {
        self.unpark { watcher in watcher.until.map { $0 <= now } ?? false }
    }

    private mutating func unpark(_ choose: (Watcher) -> Bool) -> [WatcherID] {
        var chosen: [WatcherID] = []
        for (id, watcher) in self.watchers where watcher.isParked && choose(watcher) { chosen.append(id) }
        for id in chosen { self.watchers[id]?.isParked = false }
        return chosen
    }

    // MARK: Reading

    /// The newest events of all, at the beginning.
    mutating func begin(at ids: [Int64], now: Instant) {
        self.position = EventPosition(ids, now: now)
    }

    /// Events since then: what they are about is to be read.
    mutating func changed(_ events: [(id: Int64, uploads: [UUID])], now: Instant) {
        self.position?.note(events.map(\.id), now: now)
        for upload in events.lazy.flatMap(\.uploads) where self.watched[upload] != nil { self.due.insert(upload) }
    }

    /// What to read now: what changed or is new, then what was not looked at for long; `nil` when there is nothing.
    mutating func nextRead(now: Instant) -> Read? {
        if self.scannedAt.map({ now - $0 >= Self.movingInterval }) ?? true {
            self.scannedAt = now
            for (id, entry) in self.watched where Self.isStale(entry, now: now) { self.due.insert(id) }
        }
        guard !self.due.isEmpty else { return nil }
        let ids = Array(self.due.prefix(Self.largestRead))
        self.due.subtract(ids)
        self.reads += 1
        return Read(number: self.reads, ids: ids)
    }

    private static func isStale(_ entry: Watched, now: Instant) -> Bool {
        guard let readAt = entry.readAt else { return true }
        let interval =
            switch entry.status {
            case .moving: Self.movingInterval
            case .queued: Self.waitingInterval
            case .stored, .failed, .cancelled, .expired: Self.finalInterval
            }
        return now - readAt >= interval
    }

    /// What a read found. Returns those who waited for it.
    mutating func found(_ uploads: [UUID: Upload], by read: Read, now: Instant) -> [WatcherID] {
        var woken: [WatcherID] = []
        for id in read.ids {
            guard var entry = self.watched[id] else { continue }
            let upload = uploads[id]
            entry.readAt = now
            if let upload { entry.status = upload.status }
            self.watched[id] = entry
            for watcher in entry.watchers where self.tell(watcher, id, upload, by: read) { woken.append(watcher) }
        }
        return woken
    }

    /// - Returns: whether it waited, and is to be woken.
    private mutating func tell(_ id: WatcherID, _ uploadID: UUID, _ upload: Upload?, by read: Read) -> Bool {
        guard let watcher = self.watchers[id], watcher.joined < read.number, let told = watcher.told[uploadID] else {
            return false
        }
        guard told != upload?.hashValue else { return false }
        if let upload {
            self.watchers[id]?.news[uploadID] = upload
            self.watchers[id]?.gone.remove(uploadID)
        } else {
            self.watchers[id]?.news[uploadID] = nil
            self.watchers[id]?.gone.insert(uploadID)
        }
        self.watchers[id]?.isParked = false
        return watcher.isParked
    }

    /// It came to nothing: what it was about is still due, and where the events were is forgotten, as it may be long until the next look.
    mutating func failed(_ read: Read?) {
        for id in read?.ids ?? [] where self.watched[id] != nil { self.due.insert(id) }
        self.lost()
    }

    /// What happened meanwhile was not seen: everything is to be read.
    mutating func lost() {
        self.position = nil
        self.due.formUnion(self.watched.keys)
    }
}
