import ArgumentParser
import Configuration

/// The flags of a process that answers probes and Prometheus beside its work.
struct HealthOptions: ParsableArguments {
    @Option(help: "Answer /health/live, /health/ready and /metrics on this port (S3FILE_HEALTH_PORT); 0 takes a free one.")
    var healthPort: Int?

    @Option(help: "The address to answer them on (S3FILE_HEALTH_HOST); 127.0.0.1 unless it is set.")
    var healthHost: String?

    /// By the settings that they go before.
    var flags: [(AbsoluteConfigKey, String?)] {
        [("s3file.healthPort", self.healthPort.map(String.init)), ("s3file.healthHost", self.healthHost)]
    }
}
