import ArgumentParser
import Foundation
import Hummingbird
import S3File
import S3FileHummingbird

/// The app that takes the forms: the whole middleware, and a handler that redirects.
struct FormServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the form that `forms` makes bodies for.")

    struct Context: S3FileRequestContext {
        var coreContext: CoreRequestContextStorage
        var uploads = FormUploads()

        init(source: Source) {
            self.coreContext = .init(source: source)
        }
    }

    @Option var port: Int

    func run() async throws {
        let uploads = try Uploads(configuration: QueueBenchmark.environment(), logger: QueueBenchmark.logger)
        let router = Router(context: Context.self)
        router.get("health") { _, _ in "ok\n" }
        router.group().add(middleware: S3FileMiddleware(uploads: uploads, fields: [Forms.field]) { _, _ in "user-42" })
            .post("/") { _, context in
                guard context.uploads["photo"].count == 1 else { throw HTTPError(.unprocessableContent) }
                return Response.redirect(to: "/")
            }
        var app = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: self.port)),
            logger: QueueBenchmark.logger
        )
        app.addServices(uploads)
        try await app.runService()
    }
}
