// An app needs one import: what this target adds to a framework, and what needs none.
@_exported public import S3FileHTTP
