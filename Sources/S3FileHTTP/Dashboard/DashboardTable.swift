/// A table that may be wider than the window: it scrolls in a box of its own, which the keyboard reaches.
struct DashboardTable: Sendable {
    struct Column: Sendable {
        var title: String
        /// Numbers stand under each other by their last digits.
        var isNumber = false
        /// A column without a title for the eye.
        var isForButtons = false

        static func text(_ title: String) -> Column { Column(title: title) }
        static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
        static func buttons(_ title: String) -> Column { Column(title: title, isForButtons: true) }
    }

    struct Row: Sendable {
        /// Tells this row from the others, from one look to the next.
        var key: String
        /// The first one is the row's head.
        var cells: [HTML]
    }

    /// Of the page; the caption's id.
    var id: String
    var caption: String
    var columns: [Column]
    var rows: [Row]
    /// What stands there when there are no rows.
    var empty: HTML

    var html: HTML {
        guard !self.rows.isEmpty else {
            return """
                <section class="dash-block" data-key="\(self.id)" aria-labelledby="\(self.id)">
                <h2 id="\(self.id)">\(self.caption)</h2>
                <p class="dash-empty">\(self.empty)</p>
                </section>

                """
        }
        return """
            <section class="dash-block" data-key="\(self.id)">
            <div class="dash-scroll" tabindex="0" role="region" aria-labelledby="\(self.id)">
            <table>
            <caption id="\(self.id)">\(self.caption)</caption>
            <thead><tr>\(self.columns.map(self.head))</tr></thead>
            <tbody>
            \(self.rows.map(self.row))</tbody>
            </table>
            </div>
            </section>

            """
    }

    private func head(_ column: Column) -> HTML {
        if column.isForButtons { return "<th scope=\"col\"><span class=\"dash-hidden\">\(column.title)</span></th>" }
        return "<th scope=\"col\"\(self.style(column))>\(column.title)</th>"
    }

    private func row(_ row: Row) -> HTML {
        let cells = zip(row.cells.indices, row.cells).map { place, cell -> HTML in
            place == 0
                ? "<th scope=\"row\">\(cell)</th>" : "<td\(self.style(self.columns[place]))>\(cell)</td>"
        }
        return "<tr data-key=\"\(row.key)\">\(cells)</tr>\n"
    }

    private func style(_ column: Column) -> HTML {
        column.isNumber ? " class=\"dash-number\"" : column.isForButtons ? " class=\"dash-buttons\"" : ""
    }
}
