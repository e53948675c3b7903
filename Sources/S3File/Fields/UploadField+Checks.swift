/// What is asked of each file, whether the browser posted it to S3 or the server took it in.
extension UploadField {
    /// - Throws: ``UploadError`` when the file is larger than the field takes.
    package func check(size: Int64, filename: String) throws(UploadError) {
        guard size <= self.maximumSize.bytes else {
            throw UploadError(
                .tooLarge,
                field: self.name,
                filename: filename,
                message:
                    "\"\(filename)\" is too large: \(ByteCount(bytes: size)), and the limit is \(self.maximumSize). Choose a smaller file."
            )
        }
    }

    /// The type of a file.
    ///
    /// - Parameters:
    ///   - declared: what the browser said.
    ///   - bytes: the first ``ContentType/sniffedBytes``, or all there are.
    /// - Throws: ``UploadError`` when the field does not accept it.
    package func contentType(declared: String, bytes: [UInt8], filename: String) throws(UploadError) -> String {
        let contentType = ContentType.told(by: bytes, declared: declared)
        guard declared.utf8.count <= 255, self.accepts(contentType: contentType, bytes: bytes, filename: filename) else {
            throw UploadError(
                .wrongType,
                field: self.name,
                filename: filename,
                message: "\"\(filename)\" is not of an accepted type (\(self.acceptAttribute)). Choose another file."
            )
        }
        return contentType
    }
}
