import S3File

/// What was stored and failed, minute by minute: as bars for the eye, and as a table for everybody who wants it exactly.
struct RateBars: Sendable {
    private static let height = 40
    private static let step = 12

    let rates: Overview.Rates

    var html: HTML {
        let minutes = Array(zip(self.rates.stored, self.rates.failed).enumerated().reversed())
        let most = max(1, minutes.map { $0.element.0 + $0.element.1 }.max() ?? 1)
        let bars = zip(minutes.indices, minutes).map { place, minute -> HTML in
            let stored = Self.height(minute.element.0, most)
            let failed = Self.height(minute.element.1, most)
            return """
                <rect class="dash-stored" x="\(place * Self.step)" y="\(Self.height - stored)" width="10" height="\(stored)"/>\
                <rect class="dash-failed" x="\(place * Self.step)" y="\(Self.height - stored - failed)" width="10" height="\(failed)"/>
                """
        }
        let rows = minutes.reversed().map { minute -> HTML in
            """
            <tr data-key="\(minute.offset)"><th scope="row">\(minute.offset == 0 ? "the last" : "\(minute.offset + 1) ago")</th>\
            <td class="dash-number">\(Wording.number(minute.element.0))</td>\
            <td class="dash-number">\(Wording.number(minute.element.1))</td></tr>

            """
        }
        // Where there is nothing to see there is no picture.
        let picture: HTML? =
            self.rates.storedInAll + self.rates.failedInAll == 0
            ? nil
            : """
            <svg class="dash-bars" data-key="bars" viewBox="0 0 \(minutes.count * Self.step) \(Self.height)" preserveAspectRatio="none" aria-hidden="true" \
            focusable="false">\(bars)</svg>

            """
        return """
            \(picture)<details class="dash-minutes" data-key="minutes">
            <summary>Minute by minute</summary>
            <table>
            <caption class="dash-hidden">Uploads in each of the last minutes</caption>
            <thead><tr><th scope="col">Minute</th><th scope="col" class="dash-number">Stored</th>\
            <th scope="col" class="dash-number">Failed</th></tr></thead>
            <tbody>
            \(rows)</tbody>
            </table>
            </details>

            """
    }

    /// What is not nothing can be seen.
    private static func height(_ number: Int64, _ most: Int64) -> Int {
        number == 0 ? 0 : max(2, Int(number * Int64(Self.height) / most))
    }
}
