package import S3DevServer

extension Faults.Operation {
    /// A copy that moves a file, and not one by which a worker finds out what the store honours.
    package var isMove: Bool { self.isCopy && self.key?.contains("/.capabilities/") == false }
}
