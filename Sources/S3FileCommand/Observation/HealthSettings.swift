import Configuration
import S3File

/// Where a process answers probes and Prometheus.
struct HealthSettings: Sendable, Equatable {
    var host: String
    var port: Int

    /// Reads `s3file.healthPort` (S3FILE_HEALTH_PORT) and `s3file.healthHost` (S3FILE_HEALTH_HOST, default 127.0.0.1).
    ///
    /// - Returns: nil when no port is set: then nothing is served.
    /// - Throws: ``ConfigurationError`` naming the setting.
    init?(reader: ConfigReader) throws {
        guard let text = reader.text(forKey: "s3file.healthPort") else { return nil }
        guard let port = Int(text), (0...65_535).contains(port) else {
            throw ConfigurationError("S3FILE_HEALTH_PORT is \"\(text)\": set it to a port such as 9464, or 0 for a free one")
        }
        self.port = port
        self.host = reader.text(forKey: "s3file.healthHost") ?? "127.0.0.1"
    }
}
