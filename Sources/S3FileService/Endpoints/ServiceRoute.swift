import HTTPTypes

/// What the service is asked beyond the paths of browsers, which ``UploadEndpoints/Route`` lists. `openapi.json` documents each.
enum ServiceRoute: CaseIterable, Sendable {
    /// The fields that the key may use, as they are declared.
    case fields
    /// Draws an input.
    case inputs
    /// Verifies a posted form, and enqueues its files or says what an enqueue needs.
    case forms
    /// Uploads by their ids, or the newest of an owner.
    case uploads
    case upload
    /// Lets workers take what was enqueued with a hold; or gives it up, so that its form can be posted again.
    case release, cancelHeld
    case cancel, retry
    /// This document.
    case openAPI
    /// Whether the process lives, and whether it can do its work.
    case live, ready

    var method: HTTPRequest.Method {
        switch self {
        case .fields, .uploads, .upload, .openAPI, .live, .ready: .get
        case .inputs, .forms, .release, .cancelHeld, .cancel, .retry: .post
        }
    }

    /// `:name` stands for one part of the path.
    var path: String {
        switch self {
        case .fields: "v1/fields"
        case .inputs: "v1/inputs"
        case .forms: "v1/forms"
        case .uploads: "v1/uploads"
        case .upload: "v1/uploads/:id"
        case .release: "v1/uploads/release"
        case .cancelHeld: "v1/uploads/cancel-held"
        case .cancel: "v1/uploads/cancel"
        case .retry: "v1/uploads/retry"
        case .openAPI: "v1/openapi.json"
        case .live: "health/live"
        case .ready: "health/ready"
        }
    }

    /// Whether it is the app's own, and asks for a key.
    var needsKey: Bool {
        switch self {
        case .openAPI, .live, .ready: false
        default: true
        }
    }
}
