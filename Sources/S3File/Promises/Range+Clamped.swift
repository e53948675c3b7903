extension Range where Bound == Int64 {
    /// The part of a range that lies within a file of so many bytes.
    ///
    /// By the bounds themselves: `relative(to:)` ends the process for a range that begins beyond the collection, or ends at the largest number.
    init(_ expression: some RangeExpression<Int64>, within size: Int64) {
        let (lower, upper): (Int64, Int64) =
            switch expression {
            case let range as Range<Int64>: (range.lowerBound, range.upperBound)
            case let range as ClosedRange<Int64>: (range.lowerBound, Self.after(range.upperBound))
            case let range as PartialRangeFrom<Int64>: (range.lowerBound, .max)
            case let range as PartialRangeUpTo<Int64>: (0, range.upperBound)
            case let range as PartialRangeThrough<Int64>: (0, Self.after(range.upperBound))
            default: Self.bounds(expression.relative(to: 0..<size))
            }
        let start = Swift.min(Swift.max(lower, 0), size)
        self = start..<Swift.max(start, Swift.min(upper, size))
    }

    private static func after(_ bound: Int64) -> Int64 { bound == .max ? .max : bound + 1 }

    private static func bounds(_ range: Range<Int64>) -> (Int64, Int64) { (range.lowerBound, range.upperBound) }
}
