public import S3File

extension Uploads {
    /// Draws an input again for a form that a handler refused for another reason: the files it brought are listed with it and need not be
    /// uploaded again. Without JavaScript, too.
    ///
    /// ```swift
    /// guard !title.isEmpty else {
    ///     let input = try await uploads.input(report, subject: user, keeping: context.uploads)
    ///     return page(with: input, error: "Give it a title.", status: .unprocessableContent)
    /// }
    /// ```
    /// - Parameters:
    ///   - field: the declared field.
    ///   - subject: the user or session that may bring the form back; `nil` for anybody.
    ///   - form: what the refused form brought.
    /// - Throws: ``ConfigurationError``, or what getting S3 credentials throws.
    public func input(_ field: UploadField, subject: String?, keeping form: FormUploads) async throws -> UploadInput {
        try await self.input(field, subject: subject, keeping: form.promises[field.name] ?? [])
    }
}
