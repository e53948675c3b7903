import TestEnvironment
import Testing

/// One installation and one browser for the tests of a suite, one after the other. Each finds the browser as if it were new.
struct SharedPage: SuiteTrait, TestScoping {
    @TaskLocal static var page: GalleryPage?
    /// Signs the installation's tickets: with it a test ages one.
    static let secret = "a secret of these tests that signs their tickets"

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        // With an empty list of faults to begin with, the development server lets them be changed.
        try await GalleryPage.with(environment: ["S3FILE_DEV_S3_FAULTS": "", "S3FILE_SECRET": Self.secret]) { page, _ in
            try await Self.$page.withValue(page) { try await function() }
        }
    }
}

extension Trait where Self == SharedPage {
    static var sharedPage: SharedPage { SharedPage() }
}
