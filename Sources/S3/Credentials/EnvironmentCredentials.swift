#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones, `AWS_SESSION_TOKEN`.
///
/// Read once: an environment does not change under a process.
package struct EnvironmentCredentials: S3CredentialsProvider {
    private let value: S3Credentials

    package init() throws(S3Error) {
        try self.init(environment: ProcessInfo.processInfo.environment)
    }

    package init(environment: [String: String]) throws(S3Error) {
        func required(_ name: String) throws(S3Error) -> String {
            guard let value = environment[name], !value.isEmpty else {
                throw S3Error(.configuration, status: 0, message: "Set \(name): S3 requests are signed with it.")
            }
            return value
        }
        let token = environment["AWS_SESSION_TOKEN"]
        self.value = S3Credentials(
            accessKeyID: try required("AWS_ACCESS_KEY_ID"),
            secretAccessKey: try required("AWS_SECRET_ACCESS_KEY"),
            sessionToken: token?.isEmpty == false ? token : nil
        )
    }

    package func credentials() async throws -> S3Credentials { self.value }
}
