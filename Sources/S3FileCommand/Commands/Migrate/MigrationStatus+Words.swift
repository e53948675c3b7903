import Foundation
import Postgres

extension MigrationStatus {
    /// `s3file migrate` would apply it.
    var isPending: Bool {
        switch self.state {
        case .pending, .postPending: true
        case .outOfOrder, .applied, .edited, .unknown: false
        }
    }

    /// `s3file migrate` would refuse to go on because of it.
    var isRefused: Bool {
        switch self.state {
        case .outOfOrder, .edited, .unknown: true
        case .pending, .postPending, .applied: false
        }
    }
}

extension MigrationStatus.State {
    var word: String {
        switch self {
        case .pending: "pending"
        case .outOfOrder: "out_of_order"
        case .postPending: "post_pending"
        case .applied: "applied"
        case .edited: "edited"
        case .unknown: "unknown"
        }
    }

    var phrase: String {
        switch self {
        case .pending: "pending"
        case .outOfOrder: "skipped"
        case .postPending: "applied, post part pending"
        case .applied: "applied"
        case .edited(let part, _): "edited since (\(part.rawValue) part)"
        case .unknown(let isBreaking, _): isBreaking ? "unknown, needs a newer program" : "unknown to this program"
        }
    }

    var appliedAt: Date? {
        switch self {
        case .pending, .outOfOrder: nil
        case .postPending(let at), .applied(let at), .edited(_, let at), .unknown(_, let at): at
        }
    }

    var editedPart: Migration.Part? {
        if case .edited(let part, _) = self { part } else { nil }
    }

    var isBreaking: Bool? {
        if case .unknown(let isBreaking, _) = self { isBreaking } else { nil }
    }
}
