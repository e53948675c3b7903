import Configuration
import Hummingbird
import Logging
import S3File
import S3FileHummingbird

struct AppContext: S3FileRequestContext {
    var coreContext: CoreRequestContextStorage
    var uploads = FormUploads()
    init(source: Source) { self.coreContext = .init(source: source) }
}

let report = UploadField("report", uploadTo: "reports/%Y/%m/", accept: [.pdf], maximumSize: .gigabytes(2))
let config = ConfigReader(provider: EnvironmentVariablesProvider())
let uploads = try Uploads(reader: config, logger: Logger(label: "app"))
let router = Router(context: AppContext.self)
UploadRoutes(uploads: uploads).add(to: router)  // script, stylesheet, status API

router.get("/") { _, _ in
    let input = try await uploads.input(report, subject: nil).html()
    let form = "<form method=post enctype=multipart/form-data>\(input)<button>Send</button></form>"
    let page = "<script type=module src=/s3file/s3file.js></script>\(form)"
    return Response(status: .ok, headers: [.contentType: "text/html"], body: .init(byteBuffer: .init(string: page)))
}
router.group().add(middleware: S3FileMiddleware(uploads: uploads, fields: [report]) { _, _ in nil })
    .post("/") { _, context in
        context.uploads["report"].map { "\($0.filename) will be at \($0.key ?? "")\n" }.joined()
    }

let address = BindAddress.hostname("127.0.0.1", port: config.int(forKey: "s3file.port", default: 8080))
var app = Application(router: router, configuration: .init(address: address))
app.addServices(uploads)
try await app.runService()
