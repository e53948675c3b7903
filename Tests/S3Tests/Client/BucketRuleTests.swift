import S3
import Testing

/// Rules of buckets, as stores write them.
@Suite struct BucketRuleTests {
    @Test func `a lifecycle rule is read in today's form, with conditions, and in the older one`() throws {
        let document = try XMLReader.read(
            Array(
                """
                <LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
                  <Rule><ID>a</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status>
                    <Expiration><Days>3</Days></Expiration>
                    <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>
                  <Rule><ID>b</ID><Filter><And><Prefix>x/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>
                    <Status>Enabled</Status><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>
                  <Rule><ID>c</ID><Prefix>old/</Prefix><Status>Disabled</Status>
                    <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
                  <Rule><ID>d</ID><Filter/><Status>Enabled</Status><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration></Rule>
                </LifecycleConfiguration>
                """.utf8
            )
        )
        let rules = document.all("Rule").map(S3LifecycleRule.init)
        #expect(rules[0] == S3LifecycleRule(id: "a", prefix: "tmp/", expirationDays: 3, noncurrentExpirationDays: 1))
        #expect(rules[1].isConditional && rules[1].prefix == "x/" && rules[1].hasOtherActions && !rules[1].covers("x/y"))
        #expect(!rules[2].isEnabled && rules[2].prefix == "old/" && rules[2].abortDays == 7 && !rules[2].covers("old/x"))
        #expect(rules[3].prefix.isEmpty && rules[3].hasOtherActions && rules[3].covers("anything"))
        #expect(rules[0].covers("tmp/s3file/") && !rules[0].covers("tm"))
    }

    @Test func `what is written is read as the same`() {
        let rule = S3LifecycleRule(id: "a&b", prefix: "tmp/<x>/", expirationDays: 3, noncurrentExpirationDays: 1, abortDays: 9)
        #expect(S3LifecycleRule(rule.element) == rule)
        let cors = S3CORSRule(
            id: "s3file",
            allowedOrigins: ["https://a.example"],
            allowedMethods: ["POST"],
            maximumAge: .seconds(9)
        )
        #expect(S3CORSRule(cors.element) == cors)
    }

    @Test func `CORS rules are the same in any order and case of headers, and not with another origin`() {
        let rule = S3CORSRule(
            id: "s3file",
            allowedOrigins: ["https://a.example", "https://b.example"],
            allowedMethods: ["POST", "PUT"],
            exposedHeaders: ["ETag"]
        )
        var other = rule
        other.allowedOrigins.reverse()
        other.allowedMethods.reverse()
        other.exposedHeaders = ["etag"]
        #expect(rule.isEquivalent(to: other))
        other.allowedOrigins.removeLast()
        #expect(!rule.isEquivalent(to: other))
    }

    @Test func `an element is written back with all that is in it, known or not`() throws {
        let text = #"<Rule kind="&quot;x&quot;"><ID>a&amp;b</ID><Unknown><Deep>é</Deep><Empty></Empty></Unknown></Rule>"#
        var writer = XMLWriter(declaration: false)
        writer.element(try XMLReader.read(Array(text.utf8)))
        #expect(writer.text == text)
    }
}
