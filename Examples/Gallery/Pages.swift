import Mustache
import S3File
import S3FileHummingbird

/// The pages, as Mustache templates. `{{…}}` escapes; `{{{…}}}` is for the inputs, which are drawn escaped.
struct Pages: Sendable {
    private let library: MustacheLibrary

    init() throws {
        self.library = MustacheLibrary(templates: [
            "head": try MustacheTemplate(string: Self.head),
            "form": try MustacheTemplate(string: Self.form),
            "uploads": try MustacheTemplate(string: Self.uploads),
            "apology": try MustacheTemplate(string: Self.apology),
        ])
    }

    func form(avatar: UploadInput, documents: UploadInput, caption: String, notice: String?) -> String {
        struct Model {
            var title = "Upload"
            var stylesheet = UploadPaths.standard.stylesheet
            var script = UploadPaths.standard.script
            var avatar: String
            var avatarLimit: String
            var documents: String
            var documentsLimit: String
            var caption: String
            var notice: String?
        }
        return self.render(
            Model(
                avatar: avatar.html(attributes: ["id": "avatar", "aria-describedby": "avatar-limit"]),
                avatarLimit: "One image, up to \(avatar.field.maximumSize).",
                documents: documents.html(attributes: ["id": "documents", "aria-describedby": "documents-limit"]),
                documentsLimit:
                    "Choose, drop or paste any kind of file: up to \(documents.field.maximumCount), each up to \(documents.field.maximumSize).",
                caption: caption,
                notice: notice
            ),
            "form"
        )
    }

    func uploads(_ uploads: [Upload], sent: Int, source: (Upload) -> String) -> String {
        struct Item {
            var source: String
            var filename: String
            var size: String
            var status: String
        }
        struct Model {
            var title = "Your uploads"
            var stylesheet = UploadPaths.standard.stylesheet
            var script = UploadPaths.standard.script
            var notice: String?
            var uploads: [Item]
            var isEmpty: Bool
        }
        let items = uploads.map {
            Item(
                source: source($0),
                filename: $0.filename,
                size: "\(ByteCount(bytes: $0.size))",
                status: $0.status.rawValue
            )
        }
        let notice: String? =
            switch sent {
            case ..<1: nil
            case 1: "Thank you. Your file has arrived and is being put in its place."
            default: "Thank you. Your \(sent) files have arrived and are being put in their place."
            }
        return self.render(Model(notice: notice, uploads: items, isEmpty: items.isEmpty), "uploads")
    }

    func apology() -> String {
        struct Model {
            var title = "Not just now"
            var stylesheet = UploadPaths.standard.stylesheet
            var script = UploadPaths.standard.script
        }
        return self.render(Model(), "apology")
    }

    private func render(_ model: Any, _ template: String) -> String {
        self.library.render(model, withTemplate: template) ?? ""
    }

    private static let head = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{{title}} · Gallery</title>
        <link rel="icon" href="/favicon.svg">
        <link rel="stylesheet" href="{{stylesheet}}">
        <link rel="stylesheet" href="/gallery.css">
        <script type="module" src="{{script}}"></script>
        </head>

        """

    private static let form = """
        {{> head}}
        <body>
        <header class="bar"><a class="brand" href="/">Gallery</a>
        <nav aria-label="Pages"><a href="/" aria-current="page">Upload</a> <a href="/uploads">Your uploads</a></nav></header>
        <main>
        <h1>Upload your files</h1>
        <p class="lead">Choose a picture, some documents, or both. They travel from your browser straight to the storage, and you can watch them arrive.</p>
        {{#notice}}<p class="notice" role="alert">{{notice}}</p>{{/notice}}
        <form class="card" method="post" action="/" enctype="multipart/form-data">
        <div class="field">
        <label for="avatar">Picture</label>
        <p class="limit" id="avatar-limit">{{avatarLimit}}</p>
        {{{avatar}}}
        </div>
        <div class="field">
        <label for="documents">Documents</label>
        <p class="limit" id="documents-limit">{{documentsLimit}}</p>
        {{{documents}}}
        </div>
        <div class="field">
        <label for="caption">Caption</label>
        <p class="limit" id="caption-limit">Optional, up to 80 characters.</p>
        <input type="text" id="caption" name="caption" value="{{caption}}" aria-describedby="caption-limit">
        </div>
        <div class="actions"><button type="submit" name="action" value="upload">Upload</button></div>
        </form>
        <p class="small">Only this browser can see what it uploads here.</p>
        </main>
        </body>
        </html>

        """

    private static let uploads = """
        {{> head}}
        <body>
        <header class="bar"><a class="brand" href="/">Gallery</a>
        <nav aria-label="Pages"><a href="/">Upload</a> <a href="/uploads" aria-current="page">Your uploads</a></nav></header>
        <main>
        <h1>Your uploads</h1>
        {{#notice}}<p class="notice good" role="status">{{notice}}</p>{{/notice}}
        {{#isEmpty}}
        <div class="card empty"><p>Nothing has been uploaded from this browser yet.</p><p><a class="button" href="/">Upload a file</a></p></div>
        {{/isEmpty}}
        {{^isEmpty}}
        <ul class="uploads">
        {{#uploads}}
        <li><s3file-status src="{{source}}"><span class="s3file-name" dir="auto">{{filename}}</span> <span class="s3file-size">{{size}}</span> <p class="s3file-state">{{status}}</p></s3file-status></li>
        {{/uploads}}
        </ul>
        <p><a class="button" href="/">Upload more</a></p>
        {{/isEmpty}}
        </main>
        </body>
        </html>

        """

    private static let apology = """
        {{> head}}
        <body>
        <header class="bar"><a class="brand" href="/">Gallery</a></header>
        <main>
        <h1>Not just now</h1>
        <p class="lead">Something on our side is not working. Your files are safe: please try again in a moment.</p>
        <p><a class="button" href="/">To the start</a></p>
        </main>
        </body>
        </html>

        """
}
