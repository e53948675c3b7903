public import Hummingbird
public import S3FileHTTP

/// A request context that carries what a form uploaded.
///
/// ```swift
/// struct AppContext: S3FileRequestContext {
///     var coreContext: CoreRequestContextStorage
///     var uploads = FormUploads()
///
///     init(source: Source) {
///         self.coreContext = .init(source: source)
///     }
/// }
/// ```
public protocol S3FileRequestContext: RequestContext {
    /// Filled by ``S3FileMiddleware``; begins as `FormUploads()`.
    var uploads: FormUploads { get set }
}
