import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

extension S3Error {
    /// The error that kept an answer from coming.
    init(transport error: any Error, endpoint: String, subject: Subject) {
        if let timeout = error as? AttemptTimeout {
            self.init(.timedOut, status: 0, message: "\(subject): \(timeout.sentence(endpoint: endpoint)).")
            return
        }
        let nothingWasSent: Bool
        switch error {
        case is NIOConnectionError:
            nothingWasSent = true
        case let error as IOError:
            // Given by connect(2) alone; a broken connection is ECONNRESET or EPIPE.
            nothingWasSent = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL].contains(error.errnoCode)
        case let error as HTTPClientError:
            nothingWasSent = [.connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout].contains(error)
        case NIOSSLError.handshakeFailed, is NIOSSLExtraError:
            // Before the handshake has ended, nothing of a request goes out.
            nothingWasSent = true
        default:
            nothingWasSent = false
        }
        let reason =
            switch error {
            case let error as NIOConnectionError:
                error.dnsAError != nil && error.connectionErrors.isEmpty
                    ? "the name \(error.host) could not be resolved"
                    : error.connectionErrors.first.map { "\($0.error)" } ?? "\(error)"
            case let error as HTTPClientError where error == .connectTimeout: "nobody answered in time"
            case let error as HTTPClientError where error == .tlsHandshakeTimeout: "the TLS handshake was not answered in time"
            case let error as HTTPClientError where error == .getConnectionFromPoolTimeout:
                "all connections were busy, or none could be made, for too long"
            case NIOSSLError.handshakeFailed, is NIOSSLExtraError:
                "TLS failed: the certificate must be for this host, and of an authority that this system trusts; \(error)"
            default: "\(error)"
            }
        if nothingWasSent {
            self.init(
                .connectionFailed,
                status: 0,
                message: "\(subject): no connection to \(endpoint) (\(reason)). "
                    + "Check that the endpoint is right and that S3 is running there."
            )
        } else {
            self.init(
                .connectionLost,
                status: 0,
                message: "\(subject): the connection to \(endpoint) failed before the answer was complete (\(reason))."
            )
        }
    }

    /// The same failure of a request that must not be repeated blindly: unless S3 refused it, it may have been done.
    var orOutcomeUnknown: S3Error {
        guard !self.code.isRefusal(status: self.status), self.code != .outcomeUnknown else { return self }
        var error = self
        error.code = .outcomeUnknown
        error.cause = self.code
        error.retryable = true
        return error
    }
}
