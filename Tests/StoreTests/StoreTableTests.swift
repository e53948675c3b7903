import Foundation
import TestEnvironment
import Testing

@Suite struct StoreTableTests {
    @Test func `the README's table of stores is what the tests expect of them`() throws {
        let readme = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md").standardizedFileURL
        let text = try String(contentsOf: readme, encoding: .utf8)
        #expect(text.contains("\n\(StoreTraits.table)\n"), "Put this table into README.md:\n\(StoreTraits.table)")
    }

    // Where one is missing, its tests are skipped, and this says so.
    @Test(.enabled(if: KnownStore.oldCeph.isAvailable, "\(KnownStore.oldCeph.missing)"))
    func `everything is tested on the Ceph of Debian 12`() {}
    @Test(.enabled(if: KnownStore.newCeph.isAvailable, "\(KnownStore.newCeph.missing)"))
    func `everything is tested on a newer Ceph`() {}
    @Test(.enabled(if: KnownStore.ministack.isAvailable, "\(KnownStore.ministack.missing)"))
    func `everything is tested on ministack`() {}
}
