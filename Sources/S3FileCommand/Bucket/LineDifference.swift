/// What two texts differ in, line by line: `+` came, `-` went, a blank stayed.
enum LineDifference {
    static func lines(from before: String, to after: String) -> [String] {
        let old = before.isEmpty ? [] : before.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let new = after.isEmpty ? [] : after.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in new.difference(from: old) {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var lines: [String] = []
        var (left, right) = (0, 0)
        while left < old.count || right < new.count {
            if left < old.count, removed.contains(left) {
                lines.append("- " + old[left])
                left += 1
            } else if right < new.count, inserted.contains(right) {
                lines.append("+ " + new[right])
                right += 1
            } else {
                lines.append("  " + new[right])
                left += 1
                right += 1
            }
        }
        return lines
    }
}
