import Foundation
@testable import S3File
import Testing

@Suite struct HTMLTextTests {
    @Test func `text cannot leave an attribute or an element`() {
        #expect(HTMLText.escaped(#"<a b="c" d='e'>&amp;"#) == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;")
    }
}

@Suite struct UploadInputTests {
    private func input(_ field: UploadField, kept: [KeptFile] = [], paths: UploadPaths? = .standard) -> UploadInput {
        UploadInput(
            field: field,
            url: "https://s3.example/media",
            fields: [("key", "tmp/s3file/f/${filename}"), ("policy", "cG9saWN5")],
            expiresAt: Date(timeIntervalSince1970: 1_700_000_000),
            ticket: "v1.a.b",
            ticketExpiresAt: Date(timeIntervalSince1970: 1_700_040_000),
            kept: kept,
            resumeScope: "c0ffee",
            paths: paths
        )
    }

    @Test func `an input carries what the script needs, and what the field offers`() {
        let field = UploadField(
            "docs[]",
            uploadTo: "docs/",
            accept: [.pdf, .fileExtension(".txt")],
            maximumSize: .gigabytes(50),
            maximumCount: 3,
            required: true,
            options: [.dropZone, .immediate],
            resumable: .above(.megabytes(100))
        )
        let html = self.input(field).html()
        for part in [
            #"<input type="file" name="docs[]" class="s3file" accept="application/pdf,.txt" multiple required data-url="#,
            #" data-url="https://s3.example/media" data-fields-key="tmp/s3file/f/${filename}" data-fields-policy="cG9saWN5""#,
            #" data-s3f-signature="v1.a.b" data-s3f-max-size="50000000000" data-s3f-max-count="3" data-s3f-required"#,
            #" data-s3f-options="immediate drop""#, #" data-s3f-inputs="/s3file/inputs""#,
            #" data-s3f-expires="2023-11-14T22:13:20.000Z""#,
            #" data-s3f-ends="2023-11-15T09:20:00.000Z""#,
            #" data-s3f-multipart="/s3file/multipart" data-s3f-multipart-above="100000000" data-s3f-resume="c0ffee""#,
        ] {
            #expect(html.contains(part), "\(part) in \(html)")
        }
        #expect(!html.contains("<ul"))
        let plain = self.input(UploadField("a", uploadTo: "a/", maximumSize: .megabytes(1)), paths: UploadPaths(root: "/up"))
            .html()
        #expect(plain.contains(#" data-s3f-inputs="/up/inputs""#))
        for part in ["accept", "multiple", "required", "options", "multipart"] { #expect(!plain.contains(part), "\(part)") }
    }

    @Test func `attributes are merged and escaped, and replace none of the input's own`() {
        let field = UploadField("a", uploadTo: "a/", maximumSize: .megabytes(1))
        let html = self.input(field).html(attributes: [
            "ID": "x\"><script>", "CLASS": "wide", "Type": "text", "data-URL": "https://evil.example", "form": "f&1",
            "on click": "x",
            "aria-describedby": "a b",
        ])
        #expect(html.hasPrefix(#"<input type="file" name="a" class="wide s3file" data-url="https://s3.example/media""#))
        #expect(html.hasSuffix(#" aria-describedby="a b" form="f&amp;1" id="x&quot;&gt;&lt;script&gt;">"#))
        #expect(!html.contains("evil") && !html.contains("on click") && !html.contains(#""text""#))
    }

    @Test func `a kept file is a ticked box after the input, and takes the place of a required one`() {
        let field = UploadField("a", uploadTo: "a/", maximumSize: .megabytes(1), required: true)
        let file = KeptFile(filename: "<b>\"x\"&.pdf", size: .megabytes(28), receipt: "v1.c.d")
        let html = self.input(field, kept: [file]).html(attributes: ["form": "f"])
        #expect(!html.contains(" required ") && html.contains(" data-s3f-required "))
        #expect(
            html.hasSuffix(
                #"<ul class="s3file-files s3file-kept" aria-label="Files already uploaded"><li class="s3file-file" data-state="uploaded"><label>"#
                    + #"<input type="checkbox" name="a-s3f-kept" value="v1.c.d" form="f" checked> "#
                    + #"<span class="s3file-name" dir="auto">&lt;b&gt;&quot;x&quot;&amp;.pdf</span></label> "#
                    + #"<span class="s3file-size">28 MB</span></li></ul>"#
            )
        )
        let input = self.input(field, kept: [file])
        #expect(input.html() == input.elementHTML() + input.keptHTML())
    }
}
