/// Where an upload stands. `queued → moving → stored`, or one of the three other ends.
public enum UploadStatus: String, Sendable, Codable, CaseIterable {
    /// Waits for a worker; with `attempt` above 0, for another try.
    case queued
    /// A worker copies it.
    case moving
    /// It lies at its key. Final.
    case stored
    /// Given up, with a code and a sentence. Final unless retried.
    case failed
    /// Withdrawn. It can be claimed again while its tmp object is there.
    case cancelled
    /// Its tmp object waited too long for a form and was removed. Final.
    case expired

    /// Whether nothing more happens by itself.
    public var isFinal: Bool {
        switch self {
        case .queued, .moving: false
        case .stored, .failed, .cancelled, .expired: true
        }
    }
}
