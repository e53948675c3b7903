@testable import S3File
import Testing

@Suite struct HTMLTextTests {
    @Test func `text cannot leave an attribute or an element`() {
        #expect(HTMLText.escaped(#"<a b="c" d='e'>&amp;"#) == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;")
    }
}
