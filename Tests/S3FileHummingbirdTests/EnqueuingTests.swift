import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Postgres
@testable import S3File
import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("The three ways in which files of a form become jobs")
struct EnqueuingTests {
    @Test func `held: a process that dies before its handler answers stores the files rather than losing them`() async throws {
        try await withSite { site async throws in
            let intake = site.intake(fields: [TestSite.documents], mode: .held(for: .seconds(1)))
            guard case .taken = try await intake.take(ZeroBody(size: 10)) else {
                Issue.record("the form was refused")
                return
            }
            // Nobody ever says what the handler answered.
            #expect(try await site.rows() == ["held"])
            let queue = site.connections.queue
            let worker = try await queue.register(host: "test", pid: 1, version: "0")
            let job = try await eventually(within: .seconds(10)) {
                try await queue.claim(worker: worker, room: 1, queues: nil, lanes: nil).first
            }
            #expect(job.size == 10)
        }
    }

    @Test func `manual: what the handler does not enqueue is no job, and what it enqueues is one at once`() async throws {
        try await withSite { site async throws in
            let intake = site.intake(fields: [TestSite.documents], mode: .manual)
            guard case .taken(let form) = try await intake.take(ZeroBody(size: 10)) else {
                Issue.record("the form was refused")
                return
            }
            // A process that dies here has stored nothing, and said so to nobody; the tmp object is the sweep's.
            await intake.finish(form, status: .ok, logger: .quiet)
            #expect(try await site.rows().isEmpty)
            let promises = form.uploads.promises["documents"] ?? []
            let first = try await site.uploads.enqueue(promises, metadata: #"{"report": 7}"#)
            #expect(try await site.rows() == ["queued"])
            let again = try await site.uploads.enqueue(promises)
            #expect(again.map(\.id) == first.map(\.id), "repeating it is safe")
        }
    }

    @Test func `transactional: a file is stored if and only if the app's own row is`() async throws {
        struct Dice: Error {}
        try await withSite { site async throws in
            _ = try await site.database.query("create table report (title text, key text)")
            let intake = site.intake(fields: [TestSite.documents], mode: .manual)
            for succeeds in [false, true] {
                guard case .taken(let form) = try await intake.take(ZeroBody(size: 10)),
                    let promise = form.uploads.promises["documents"]?.first
                else {
                    Issue.record("the form was refused")
                    return
                }
                do {
                    try await site.database.withTransaction { connection in
                        _ = try await connection.query(
                            """
                            insert into report (title, key) select 'Q3', final_key from s3file.enqueue(
                                bucket => \(promise.bucket), tmp_key => \(promise.tmpKey), etag => \(promise.etag),
                                size => \(promise.size), key => \(promise.requestedKey), content_type => \(promise.contentType),
                                filename => \(promise.filename), field => \(promise.field), owner => \(promise.owner),
                                upload_id => \(promise.id), version_id => \(promise.versionID))
                            """
                        )
                        if !succeeds { throw Dice() }
                    }
                } catch is Dice {}
                await intake.finish(form, status: .ok, logger: .quiet)
                #expect(try await site.rows() == (succeeds ? ["queued"] : []))
                let reports = try await site.database.query("select key from report").map { try $0["key", String.self] }
                #expect(reports == (succeeds ? ["documents/zeros"] : []))
            }
        }
    }

    @Test func `an UploadError that a handler throws is answered as one, and others go on`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app(handler: { _, context in
                let promise = try #require(context.uploads["documents"].first?.promise)
                throw UploadError(.tooManyFiles, field: promise.field, filename: promise.filename, message: "Your disk is full.")
            }).test(.router) { client async throws in
                let response = try await client.post(drawn.post([file]))
                #expect(response.status == .unprocessableContent)
                #expect(try response.problem()["detail"] == "Your disk is full.")
                #expect(try await site.rows() == ["cancelled"])
            }
        }
    }
}
