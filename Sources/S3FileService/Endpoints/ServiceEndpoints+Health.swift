import HTTPTypes
import NIOCore
import S3File
import S3FileHTTP
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ServiceEndpoints {
    /// How long Postgres may take to say that it is there.
    private static let patience = Duration.seconds(2)

    /// `GET health/ready`: whether a request would find the record, and is welcome. The record is asked for an upload that there cannot be.
    func readiness() async -> HTTPAnswer {
        let isReady: Bool
        do {
            isReady = try await TimeLimit.within(Self.patience) {
                _ = try await self.uploads.upload(UUID())
                return !Task.isShuttingDownGracefully
            }
        } catch {
            isReady = false
        }
        return HTTPAnswer(
            status: isReady ? .ok : .serviceUnavailable,
            headers: Self.plain,
            body: .bytes(
                ByteBuffer(string: isReady ? "ready\n" : "not ready: the database does not answer, or the service stops\n")
            )
        )
    }
}
