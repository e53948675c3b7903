package import S3File

/// What the service has to know beyond ``S3FileConfiguration``.
package struct ServiceConfiguration: Sendable {
    package var address: ListenAddress
    package var fields: [UploadField]
    package var keys: APIKeys
    /// Requests of the app that are served at a time; one more is answered 503.
    package var maximumRequests: Int
    /// How long a request's body may take to come.
    package var bodyTimeout: Duration
    /// How long it may take to answer a request of the app.
    package var answerTimeout: Duration

    package init(
        address: ListenAddress,
        fields: [UploadField],
        keys: APIKeys,
        maximumRequests: Int = 128,
        bodyTimeout: Duration = .seconds(10),
        answerTimeout: Duration = .seconds(30)
    ) throws(ConfigurationError) {
        guard (1...100_000).contains(maximumRequests) else {
            throw ConfigurationError("S3FILE_API_REQUESTS must be a whole number from 1 to 100000")
        }
        self.address = address
        self.fields = fields
        self.keys = keys
        self.maximumRequests = maximumRequests
        self.bodyTimeout = bodyTimeout
        self.answerTimeout = answerTimeout
    }
}
