import Foundation
import S3
import Testing

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "A moment is written in S3's three ways and read back",
        arguments: [
            (0.0, "19700101T000000Z", "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_369_353_600.0, "20130524T000000Z", "2013-05-24T00:00:00.000Z", "Fri, 24 May 2013 00:00:00 GMT"),
            (951_782_399.0, "20000228T235959Z", "2000-02-28T23:59:59.000Z", "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_868_799.0, "20000229T235959Z", "2000-02-29T23:59:59.000Z", "Tue, 29 Feb 2000 23:59:59 GMT"),
            (4_107_542_400.0, "21000301T000000Z", "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1.0, "19691231T235959Z", "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ]
    )
    func formats(seconds: Double, signature: String, iso8601: String, http: String) {
        let date = Date(timeIntervalSince1970: seconds)
        #expect(Timestamp.signature(date) == signature)
        #expect(Timestamp.iso8601(date) == iso8601)
        #expect(Timestamp.http(date) == http)
        #expect(Timestamp.parseSignature(signature) == date)
        #expect(Timestamp.parseISO8601(iso8601) == date)
        #expect(Timestamp.parseHTTP(http) == date)
    }

    @Test("Fractions of a second are read and written in milliseconds")
    func fractions() throws {
        let date = try #require(Timestamp.parseISO8601("2026-11-22T15:05:48.25Z"))
        #expect(Timestamp.iso8601(date) == "2026-11-22T15:05:48.250Z")
        #expect(Timestamp.parseISO8601("2026-11-22T15:05:48Z") != nil)
    }

    @Test(
        "What is not such a moment is refused",
        arguments: [
            "", "20130524T000000", "20130524 000000Z", "20131324T000000Z", "20130230T000000Z", "20130524T240000Z",
            "2013-05-24T00:00:00", "2013-05-24T00:00:00.Z", "2013-05-24T00:00:00+01:00", "2013-02-29T00:00:00Z",
            "2013-05-24T00:00:00.0000000000000000000Z", "Fri, 24 Mai 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:00 CET",
            "-0130524T000000Z",
        ]
    )
    func refuses(text: String) {
        #expect(Timestamp.parseSignature(text) == nil)
        #expect(Timestamp.parseISO8601(text) == nil)
        #expect(Timestamp.parseHTTP(text) == nil)
    }
}
