/// The version of this package, as workers register with it.
package enum S3FileVersion {
    package static let current = "0.1.0"
}
