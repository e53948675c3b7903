import NIOCore
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The output of a profile's `credential_process`.
///
/// ([AWS: Process credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html))
struct ProcessCredentials: S3CredentialsProvider {
    private static let timeout: Duration = .seconds(60)
    private static let limit = 64 * 1024

    /// As in the file; a shell takes it apart.
    let command: String
    let source: String

    func credentials() async throws -> S3Credentials {
        let (command, source) = (self.command, self.source)
        let output: (status: TerminationStatus, text: String?)
        do {
            output = try await withDeadline(Self.timeout) {
                // Its standard error is not read: what it holds is nobody's business but the operator's.
                let result = try await run(
                    .path("/bin/sh"),
                    arguments: ["-c", command],
                    output: .string(limit: Self.limit),
                    error: .discarded
                )
                return (result.terminationStatus, result.standardOutput)
            }
        } catch {
            try Task.checkCancellation()
            let reason = (error as? DeadlineExceeded).map { "it did not end within \($0.timeout)" } ?? "\(error)"
            throw CredentialsError(.failed, source, "credential_process: \(CredentialsError.quoted(reason))", retryable: true)
        }
        guard output.status.isSuccess, let text = output.text else {
            throw CredentialsError(.failed, source, "credential_process ended with \(output.status)", retryable: true)
        }
        let document = try CredentialsDocument(ByteBuffer(string: text), from: "\(source), credential_process")
        guard document.version == 1 else {
            throw CredentialsError(.failed, source, "credential_process must print Version 1")
        }
        return try document.credentials(from: "\(source), credential_process", mustEnd: false)
    }
}
