import CoreMetrics
import HTTPTypes
import S3
import S3File

/// What is counted of forms, as handles that are made once.
struct FormMetrics: Sendable {
    static let traceparent = HTTPField.Name(Traceparent.header)

    /// By what became of them: "ok", or the code of the refusal.
    private let forms: CodeCounters
    private let time: CoreMetrics.Timer
    private let files, bytes, withdrawn: Counter

    init(factory: any MetricsFactory) {
        func counter(_ label: String) -> Counter { Counter(label: label, factory: factory) }
        self.forms = CodeCounters(label: "s3file_forms_total", factory: factory)
        self.time = CoreMetrics.Timer(label: "s3file_form_seconds", factory: factory)
        self.files = counter("s3file_form_files_total")
        self.bytes = counter("s3file_form_bytes_total")
        self.withdrawn = counter("s3file_forms_withdrawn_total")
    }

    func took(_ form: TakenForm, since start: ContinuousClock.Instant) {
        self.forms.increment("ok")
        self.ended(since: start)
        for promises in form.uploads.promises.values {
            self.files.increment(by: promises.count)
            self.bytes.increment(by: promises.reduce(0) { $0 + $1.size })
        }
    }

    func refused(_ problem: Problem) {
        self.forms.increment(problem.code)
    }

    func ended(since start: ContinuousClock.Instant) {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        self.time.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// The handler did not want it.
    func withdrew() {
        self.withdrawn.increment()
    }
}
