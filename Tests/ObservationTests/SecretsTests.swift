import Foundation
import HTTPTypes
import InMemoryTracing
import Logging
import S3
import S3File
import S3FileHTTP
import S3FileObservability
import S3FileWorker
import ServiceLifecycle
import TestEnvironment
import Testing

@Suite struct SecretsTests {
    @Test func `nothing that is logged from trace on, traced or counted in a whole journey holds a secret`() async throws {
        try await ObservedSite.with(faults: "slow-down times=1 operation=CopyObject; internal-error times=1 operation=HeadObject")
        {
            site in
            var secrets = [ObservedSite.secret, ObservedSite.secretAccessKey]
            if let password = URLComponents(string: site.databaseURL)?.password { secrets.append(password) }
            func note(_ input: UploadInput) {
                secrets.append(input.ticket)
                secrets += input.fields.filter { ["policy", "x-amz-signature"].contains($0.name.lowercased()) }.map(\.value)
            }
            let (outcome, input) = try await site.post(["one", "two"])
            note(input)
            let taken = try #require(outcome.taken)
            secrets += taken.uploads.all.map(\.statusToken)
            try await site.storeds(2)
            for upload in taken.uploads.all {
                let stored = try #require(try await site.uploads.upload(upload.id))
                let url = try #require(try await site.uploads.url(of: stored))
                secrets.append(String(try #require(url.split(separator: "X-Amz-Signature=").last)))
            }
            // What goes wrong is what is logged.
            note(try await site.post(["x"], ticket: String(input.ticket.dropLast(4)) + "AAAA").input)
            note(try await site.post(["x"], status: .badRequest).input)
            #expect(try await site.postFile("streamed").taken != nil)
            try await self.runWithWrongSecrets(site)

            let told = site.log.lines + site.tracer.spans.finishedSpans.map(\.text) + [site.metrics.text()]
            #expect(site.log.lines.count > 10 && site.tracer.spans.finishedSpans.count > 10)
            for secret in secrets {
                #expect(secret.count >= 16)
                let line = told.first { $0.contains(secret) }
                #expect(line == nil, "\(secret): \(line?.prefix(500) ?? "")")
            }
            for word in ["X-Amz-Signature", "x-amz-signature", "Signature=", "X-Amz-Security-Token"] {
                #expect(told.first { $0.contains(word) } == nil, "\(word)")
            }
        }
    }

    /// Processes whose password, or whose S3 key, is refused.
    private func runWithWrongSecrets(_ site: ObservedSite) async throws {
        var configuration = site.uploads.configuration
        configuration.credentials = .keys(accessKeyID: "s3file-dev", secretAccessKey: "another-" + ObservedSite.secretAccessKey)
        let refused = try Uploads(configuration: configuration, logger: site.log.logger)
        configuration = site.uploads.configuration
        var components = try #require(URLComponents(string: site.databaseURL))
        components.password = "wrong-" + ObservedSite.secret
        configuration.databaseURL = try #require(components.string)
        let locked = try WorkerPool(configuration: configuration, logger: site.log.logger)
        let before = site.log.lines.count
        let group = ServiceGroup(services: [refused, locked], logger: .quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            // A worker that Postgres refuses ends with the refusal, which is logged.
            tasks.addTask {
                do {
                    try await group.run()
                } catch {
                    site.log.logger.error("A service ended", metadata: ["error": "\(error)"])
                }
            }
            let input = try await refused.input(ObservedSite.documents, subject: "ada")
            let key = (input.fields.first { $0.name == "key" }?.value ?? "").replacing(
                "${filename}",
                with: "AAAAAAAAAAAAAAAAAAAAAA"
            )
            var form = FormBody()
            try form.append("s3file", "documents", limits: .init())
            try form.append("documents-s3f-signature", input.ticket, limits: .init())
            try form.append("documents", key, limits: .init())
            await #expect(throws: UploadError.self) {
                try await refused.verify(form, fields: [ObservedSite.documents], subject: "ada")
            }
            try await eventually("Postgres's refusal is logged") {
                site.log.lines.dropFirst(before).contains { $0.contains("password authentication failed") }
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
