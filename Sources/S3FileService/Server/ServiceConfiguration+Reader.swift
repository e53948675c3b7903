package import Configuration
package import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ServiceConfiguration {
    /// Reads the settings.
    ///
    /// - `s3file.fields` (S3FILE_FIELDS, required): the file that declares the fields, see ``FieldsDocument``
    /// - `s3file.apiKeys` (S3FILE_API_KEYS, secret, required): by comma; each of 32 bytes or more, or `sha256:` and its hash; with
    ///   `@field+field` it is for these fields alone
    /// - `s3file.port` (S3FILE_PORT, default 8080) or `s3file.socket` (S3FILE_SOCKET)
    /// - `s3file.apiRequests` (S3FILE_API_REQUESTS, default 128)
    ///
    /// - Parameters:
    ///   - host: what `--host` said.
    ///   - uploads: the settings of the uploads themselves.
    /// - Throws: ``ConfigurationError``.
    package init(reader: ConfigReader, host: String?, uploads: S3FileConfiguration) throws(ConfigurationError) {
        guard let file = reader.text(forKey: "s3file.fields") else {
            throw ConfigurationError(
                "S3FILE_FIELDS is not set: set it to the JSON file that declares the fields, such as fields.json"
            )
        }
        guard let content = FileManager.default.contents(atPath: file) else {
            throw ConfigurationError("S3FILE_FIELDS: \(file) cannot be read: check the path and its rights")
        }
        let fields = try FieldsDocument(content, file: file, tmpPrefix: uploads.tmpPrefix).fields
        let requests = reader.text(forKey: "s3file.apiRequests") ?? "128"
        try self.init(
            address: try ListenAddress(
                host: host,
                port: reader.text(forKey: "s3file.port"),
                socket: reader.text(forKey: "s3file.socket")
            ),
            fields: fields,
            keys: try APIKeys(setting: reader.text(forKey: "s3file.apiKeys", isSecret: true), fields: fields),
            maximumRequests: Int(requests) ?? 0
        )
    }
}
