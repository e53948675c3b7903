extension S3FileConfiguration {
    /// Who this process is for S3. Descriptions never show a secret.
    public enum Credentials: Sendable, Equatable {
        /// As every AWS SDK finds them, and renewed before they end: the environment, a web identity (EKS), the profile in the shared
        /// files of the AWS CLI, the container's endpoint (ECS, EKS pod identity), the EC2 instance.
        /// <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>
        case standardChain
        /// One access key. A session token belongs to temporary credentials, which this process cannot renew.
        case keys(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil)
    }

    /// Of ``Credentials/keys(accessKeyID:secretAccessKey:sessionToken:)``; `nil` when the keys are found later.
    package var accessKeyID: String? {
        if case .keys(let accessKeyID, _, _) = self.credentials { accessKeyID } else { nil }
    }

    package var secretAccessKey: String? {
        if case .keys(_, let secretAccessKey, _) = self.credentials { secretAccessKey } else { nil }
    }
}

extension S3FileConfiguration.Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// For logs: which kind, and the key's public half. Never a secret.
    public var description: String {
        switch self {
        case .standardChain: "the standard chain of AWS"
        case .keys(let accessKeyID, _, _): "the access key \(accessKeyID), secret redacted"
        }
    }
    /// The same as ``description``: debuggers and `dump` show no secret either.
    public var debugDescription: String { self.description }
    /// The same as ``description``, in place of what is stored.
    public var customMirror: Mirror { Mirror(self, children: ["credentials": self.description]) }
}

extension S3FileConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// For logs: where files go. Never a secret, nor the URL of Postgres, which may hold a password. What holds a configuration is logged by
    /// others, too: a service group logs its services.
    public var description: String { "S3FileConfiguration(bucket: \(self.bucket), environment: \(self.environment))" }
    /// The same as ``description``: debuggers and `dump` show no secret either.
    public var debugDescription: String { self.description }
    /// The same as ``description``, in place of what is stored.
    public var customMirror: Mirror { Mirror(self, children: ["bucket": self.bucket]) }
}
