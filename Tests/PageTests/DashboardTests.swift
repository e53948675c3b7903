import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// The dashboard in a real browser, beside a worker that works.
    @Suite("The dashboard", .sharedPage)
    struct DashboardTests {
        private static let (tab, enter) = ("\u{E004}", "\u{E007}")

        @Test("the overview follows what a worker does, by itself, and under a policy that lets nothing else run")
        func live() async throws {
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.untilLive()
                #expect(try await dashboard.row("default", of: "queues")?.contains("Open") == true)
                let stored =
                    "return String(document.querySelector('[data-key=Stored] .dash-note').textContent.match(/· ([\\d,]+) in/)[1])"
                let before = try await dashboard.browser.run(stored) ?? ""
                let tab = try await dashboard.browser.tab
                try await dashboard.browser.openTab()
                try await dashboard.send(["a.txt", "b.txt"], folder)
                _ = try await dashboard.page.stored(2)
                try await dashboard.browser.closeTab()
                try await dashboard.browser.show(tab: tab)
                try await eventually("they are counted", within: .seconds(20)) {
                    Int(try await dashboard.browser.run(stored) ?? "") == (Int(before) ?? 0) + 2
                }
                #expect(try await dashboard.row("1", of: "workers")?.contains("Works") == true)
                #expect(try await dashboard.browser.complaints() == [])
            }
        }

        @Test("what fails is grouped by its code, found by it, and retried by a click; it says how many")
        func failures() async throws {
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.sendInVain(["lost.txt", "gone.txt"], folder)
                try await dashboard.open()
                try await eventually("they have failed", within: .seconds(60)) {
                    try await dashboard.row("source_missing", of: "failures")?.contains("2") == true
                }
                #expect(try await dashboard.state.contains("2 uploads have failed."))
                try await dashboard.browser.element("tr[data-key=source_missing] th a").click()
                try await eventually("the list of them") {
                    try await dashboard.browser.url.contains("uploads?code=source_missing")
                }
                #expect(try await dashboard.browser.elements("tbody tr").count == 2)
                try await dashboard.open()
                try await dashboard.browser.element("tr[data-key=source_missing] button").click()
                try await dashboard.untilNotice("2 uploads that had failed with source_missing are queued again.")
                #expect(try await dashboard.browser.url.contains("/admin/?done=retriedAll"))
                try await eventually("they fail again, for their bytes are gone", within: .seconds(60)) {
                    try await dashboard.row("source_missing", of: "failures")?.contains("2") == true
                }
            }
        }

        @Test("an upload is found by its owner, key and id, and its page tells what happened to it")
        func timeline() async throws {
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.send(["<b>report & 'co'.pdf"], folder)
                _ = try await dashboard.page.stored(1)
                try await dashboard.open()
                let search = try await dashboard.browser.element("#q")
                try await search.type("documents/")
                try await dashboard.browser.press(Self.enter)
                try await eventually("the list") { try await dashboard.browser.url.contains("uploads?q=documents%2F") }
                // Others' files lie there, too.
                try await dashboard.browser.run(
                    "[...document.querySelectorAll('tbody a')].find(({ textContent }) => textContent.includes('report &')).click()"
                )
                let heading = try await dashboard.browser.element(".dash-timeline")
                #expect(try await dashboard.browser.element("h1").text == "<b>report & 'co'.pdf")
                let steps = try await heading.text
                #expect(steps.contains("Enqueued") && steps.contains("Taken, attempt 1") && steps.contains("Stored"))
                let id = try await dashboard.browser.url.split(separator: "/").last.map(String.init) ?? ""
                try await dashboard.browser.element("#q").type(id)
                try await dashboard.browser.press(Self.enter)
                try await eventually("found by its id") { try await dashboard.browser.elements("tbody tr").count == 1 }
                #expect(try await dashboard.browser.complaints() == [])
            }
        }

        @Test("a queue is paused and goes on: what waits in it stays, and then moves")
        func pause() async throws {
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.browser.element("tr[data-key=default] button").click()
                try await dashboard.untilNotice("Queue default is paused. What is moving comes to its end.")
                try await dashboard.send(["waits.txt"], folder)
                try await dashboard.open()
                try await eventually("it waits") {
                    try await dashboard.state.contains("Queue default is paused, and 1 upload waits in it.")
                }
                try await dashboard.browser.element("tr[data-key=default] button").click()
                try await dashboard.untilNotice("Queue default goes on.")
                try await eventually("nothing waits any more", within: .seconds(30)) {
                    let isOpen = try await dashboard.row("default", of: "queues")?.contains("Open") == true
                    let state = try await dashboard.state
                    return isOpen && !state.contains("waits")
                }
            }
        }

        @Test("without JavaScript everything is there to read, and the buttons work")
        func withoutScript() async throws {
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.send(["plain.txt"], folder)
                _ = try await dashboard.page.stored(1)
                try await dashboard.browser.command("Emulation.setScriptExecutionDisabled", ["value": true])
                try await dashboard.open()
                let text = try await dashboard.browser.element("main").text
                for words in ["Overview", "As of", "Refresh", "Queues", "Buckets", "Workers", "Time to stored"] {
                    #expect(text.contains(words), "\(words)")
                }
                try await dashboard.browser.element("tr[data-key=default] button").click()
                try await dashboard.untilNotice("Queue default is paused. What is moving comes to its end.")
                try await dashboard.browser.element("tr[data-key=default] button").click()
                try await dashboard.untilNotice("Queue default goes on.")
                try await dashboard.browser.element(".dash-seen a").click()
                #expect(try await dashboard.browser.elements(".dash-notice").isEmpty)
                try await dashboard.open("uploads")
                try await dashboard.browser.element("tbody a").click()
                #expect(try await dashboard.browser.element(".dash-timeline").text.contains("Stored"))
                try await dashboard.browser.command("Emulation.setScriptExecutionDisabled", ["value": false])
            }
        }

        @Test("what is open, focused or selected stays so while the page is kept current")
        func undisturbed() async throws {
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.untilLive()
                try await dashboard.browser.element(".dash-minutes summary").click()
                try await dashboard.browser.run(
                    """
                    const button = document.querySelector('tr[data-key=default] button')
                    button.focus()
                    const name = document.querySelector('#queues').closest('table').querySelector('tbody bdi')
                    getSelection().selectAllChildren(name)
                    window.kept = [button, name, document.querySelector('.dash-minutes')]
                    window.looks = 0
                    const clock = document.querySelector('[data-live-time]')
                    new MutationObserver(() => looks++).observe(clock, { childList: true })
                    """
                )
                try await eventually("it was kept current three times", within: .seconds(20)) {
                    Int(try await dashboard.browser.run("return String(looks)") ?? "") ?? 0 >= 3
                }
                let facts = try await dashboard.browser.run(
                    """
                    const [button, name, details] = kept
                    return [button.isConnected, document.activeElement === button, String(getSelection()), name.isConnected, details.open].join()
                    """
                )
                #expect(facts == "true,true,default,true,true")
                let loud =
                    "return String(document.querySelectorAll('[data-live] [aria-live], [data-live] [role=status], [data-live] [role=alert]').length)"
                #expect(try await dashboard.browser.run(loud) == "0")
            }
        }

        @Test("with the keyboard alone one gets to the content, through the tables, and to the buttons")
        func keyboard() async throws {
            try await DashboardPage.shared { dashboard, _ in
                try await dashboard.browser.press(Self.tab)
                #expect(try await dashboard.browser.focus == "To the content")
                try await dashboard.browser.press(Self.enter)
                var stops: [String] = []
                for _ in 0..<30 where !stops.contains("Pause default") {
                    try await dashboard.browser.press(Self.tab)
                    stops.append(try await dashboard.browser.focus)
                }
                #expect(stops.first == "Refresh" && stops.contains("default") && stops.last == "Pause default", "\(stops)")
                try await dashboard.browser.press(Self.enter)
                try await dashboard.untilNotice("Queue default is paused. What is moving comes to its end.")
                try await dashboard.browser.element("tr[data-key=default] button").click()
                try await dashboard.untilNotice("Queue default goes on.")
            }
        }

        @Test("when the server is away it says so, and goes on by itself when it is back")
        func lost() async throws {
            try await DashboardPage.shared { dashboard, _ in
                try await dashboard.untilLive()
                try await dashboard.browser.block(["*/admin/events"])
                try await dashboard.browser.reload()
                try await eventually("it says so") { try await dashboard.seen.contains("Connection lost") }
                try await dashboard.browser.block([])
                try await eventually("it is back", within: .seconds(30)) { try await dashboard.seen.hasPrefix("Live:") }
                _ = try await dashboard.browser.complaints()
            }
        }

        @Test(
            "axe-core finds nothing on any page, in light and dark, narrow and wide, and each is photographed",
            .enabled(if: Axe.isInstalled, "\(Axe.missing)")
        )
        func axe() async throws {
            let axe = try Axe()
            try await DashboardPage.shared { dashboard, folder in
                try await dashboard.sendInVain(
                    ["a-very-long-name-that-has-to-be-broken-somewhere-in-the-middle-of-it.txt"],
                    folder
                )
                try await dashboard.open()
                try await eventually("it has failed", within: .seconds(60)) {
                    try await dashboard.row("source_missing", of: "failures") != nil
                }
                let failed = try await dashboard.browser.element("tr[data-key=source_missing] td a").attribute("href") ?? ""
                let pages = ["": "overview", "uploads?status=failed": "list", failed: "upload", "uploads?q=%00": "refused"]
                for (path, name) in pages.sorted(by: { $0.value < $1.value }) {
                    for scheme in ["light", "dark"] {
                        try await dashboard.browser.prefer(["prefers-color-scheme": scheme])
                        for width in [360, 1200] {
                            try await dashboard.browser.resize(width: width, height: 900)
                            try await dashboard.open(path)
                            if name == "overview" { try await dashboard.untilLive() }
                            #expect(try await axe.violations(in: dashboard.browser) == [], "\(name), \(scheme), \(width) px")
                            let wide = "return String(document.documentElement.scrollWidth > innerWidth)"
                            #expect(try await dashboard.browser.run(wide) == "false", "\(name) is wider than \(width) px")
                            try await dashboard.browser.fit(width: width)
                            try await dashboard.browser.screenshot("dashboard-\(name)-\(scheme)-\(width)")
                        }
                    }
                }
            }
        }
    }
}
