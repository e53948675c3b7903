import FuzzInvariants

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Which reader, from S3FILE_FUZZ_READER: libFuzzer's own arguments leave no room for another.
private let reader: FuzzedReader = {
    guard let name = getenv("S3FILE_FUZZ_READER"), let reader = FuzzedReader(rawValue: String(cString: name)) else {
        fatalError("Set S3FILE_FUZZ_READER to one of \(FuzzedReader.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return reader
}()

/// What libFuzzer calls with each input.
/// <https://llvm.org/docs/LibFuzzer.html>
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try reader.check(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(reader): \(error)")
    }
    return 0
}
