//! What an app does with its uploads, tested without Postgres and S3.

// snippet.hide
#if canImport(S3FileTesting)
    // snippet.show
    // snippet.test
    import S3File
    import S3FileTesting

    let report = UploadField("report", uploadTo: "reports/", accept: [.pdf], maximumSize: .gigabytes(2))

    func aReportIsStored() async throws {
        let test = try TestUploads()

        // The browser's part: a form with the drawn input, and a file in it.
        var form = TestForm()
        form.add(try await test.uploads.input(report, subject: "user-42"))
        try await test.upload("q3.pdf", "%PDF-1.7 …", contentType: "application/pdf", to: "report", of: &form)

        // The app's part. With a router, post `form.headers` and `form.body` to it instead.
        let promises = try await test.uploads.verify(FormBody(fields: form.posted), fields: [report], subject: "user-42")
        let upload = try await test.uploads.enqueue(promises["report", default: []])[0]
        precondition(upload.status == .queued && upload.key == "reports/q3.pdf")

        // The workers' part: nothing moves by itself.
        let stored = try await test.store(upload.id)
        precondition(stored.status == .stored && test.file(at: "reports/q3.pdf") != nil)
    }
    // snippet.end
    try await aReportIsStored()
// snippet.hide
#endif
