import Foundation
import Postgres
import S3
import Testing

@testable import S3File
@testable import S3FileCommand

@Suite struct FailureTests {
    @Test(
        arguments: [
            (ConfigurationError("S3FILE_BUCKET is not set"), .settings),
            (PostgresError(.connection, "Cannot connect to Postgres: connection refused"), .unreachable),
            (PostgresError(.connection, "Cannot connect", sqlState: "28P01"), .refused),
            (PostgresError(.connection, "Cannot connect", sqlState: "3D000"), .refused),
            (PostgresError(.connection, "Cannot connect", sqlState: "57P03"), .unreachable),
            (PostgresError(.server, "permission denied for function claim", sqlState: "42501"), .refused),
            (PostgresError(.server, "relation \"s3file.upload\" does not exist", sqlState: "42P01"), .tablesBehind),
            (PostgresError(.server, "could not extend file", sqlState: "53100"), .unreachable),
            (PostgresError(.server, "division by zero", sqlState: "22012"), .failed),
            (PostgresError(.configuration, "The database URL is not one"), .settings),
            (S3Error(.accessDenied, status: 403, message: "x"), .refused),
            (S3Error(.noSuchBucket, status: 404, message: "x"), .refused),
            (S3Error(.permanentRedirect, status: 301, message: "x"), .refused),
            (S3Error(.expiredToken, status: 400, message: "x"), .refused),
            (S3Error(.connectionFailed, status: 0, message: "x"), .unreachable),
            (S3Error(.slowDown, status: 503, message: "x"), .unreachable),
            (S3Error(.configuration, status: 0, message: "x"), .settings),
            (OutputError(reason: "No space left on device"), .output),
            (CommandError(.problems, "There is no upload"), .problems),
            (CancellationError(), .failed),
        ] as [(any Error, ExitReason)]
    )
    func `an error ends a command with the status of its kind`(error: any Error, status: ExitReason) {
        #expect(Failure(error).status == status)
    }

    @Test func `a sentence is one line and ends with a full stop`() {
        let failure = Failure(PostgresError(.connection, "Cannot connect to Postgres: first host\n\tIs it running?; second host"))
        #expect(
            failure.sentence
                == "Cannot connect to Postgres: first host Is it running?; second host: check DATABASE_URL."
        )
        #expect(Failure(CommandError(.failed, "Done.")).sentence == "Done.")
    }

    @Test func `an API key is struck out without the name of its field, too`() {
        Secrets.remember("a-key-of-reports@report+film,a-key-of-all")
        #expect(
            Secrets.struckOut(of: "a-key-of-reports is no a-key-of-all; report stays") == "… is no …; report stays"
        )
    }

    @Test(
        arguments: [
            ("see postgresql://app:hunter22@db.example/x?sslmode=a", "see postgresql://app:…@db.example/x?sslmode=a"),
            ("host=db password=hunter22 user=app", "host=db password=… user=app"),
            ("host=db password = 'hunter 22' user=app", "host=db password = … user=app"),
            (
                "GET https://b.s3/k?X-Amz-Credential=AKIA%2Fx&X-Amz-Date=2026&X-Amz-Signature=abcdef failed",
                "GET https://b.s3/k?X-Amz-Credential=…&X-Amz-Date=2026&X-Amz-Signature=… failed"
            ),
            ("s3://bucket/a:b@c stays, and so does a@b:c", "s3://bucket/a:b@c stays, and so does a@b:c"),
        ]
    )
    func `what looks like a secret is struck out`(text: String, expected: String) {
        #expect(Secrets.withoutLookalikes(text) == expected)
    }

    @Test func `the secrets of the settings are struck out wherever they come from`() {
        Secrets.remember("postgresql://app:pw-of-the-file@db/x")
        Secrets.remember("first-signing-secret-of-32-bytes, second-signing-secret-of-32-bytes")
        let failure = Failure(CommandError(.failed, "bad: pw-of-the-file and second-signing-secret-of-32-bytes"))
        #expect(failure.sentence == "bad: … and ….")
    }

    @Test func `every status has a code and a meaning of its own`() {
        #expect(Set(ExitReason.allCases.map(\.meaning)).count == ExitReason.allCases.count)
        #expect(ExitReason.tablesBehind.rawValue == 3 && ExitReason.tablesAhead.rawValue == 4 && ExitReason.usage.rawValue == 64)
    }
}
