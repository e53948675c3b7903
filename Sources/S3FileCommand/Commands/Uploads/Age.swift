import ArgumentParser
import Foundation

/// A length of time as people type it: `90s`, `30m`, `12h`, `7d`.
struct Age: ExpressibleByArgument, Equatable {
    var duration: Duration

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }), let count = Int64(argument.dropLast()),
            (0...36_500).contains(count)
        else {
            return nil
        }
        self.duration = .seconds(count * unit)
    }

    /// So long ago.
    func before(_ now: Date = Date()) -> Date {
        now.addingTimeInterval(-TimeInterval(self.duration.components.seconds))
    }
}

extension Duration {
    /// For people, in its largest unit: `3m`, `2h`, `9d`.
    var short: String {
        let seconds = max(0, self.components.seconds)
        return switch seconds {
        case ..<120: "\(seconds)s"
        case ..<7_200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3_600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}

extension Date {
    /// How long ago it was.
    func age(_ now: Date = Date()) -> String {
        Duration.seconds(Int64(now.timeIntervalSince(self))).short
    }
}
