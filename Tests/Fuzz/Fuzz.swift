import FuzzInvariants

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// libFuzzer as a library: the package manager gives every program a main function, so libFuzzer's own cannot be used.
/// <https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library>
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Which reader, from S3FILE_FUZZ_READER: libFuzzer's own arguments leave no room for another.
private let reader: FuzzedReader = {
    guard let name = getenv("S3FILE_FUZZ_READER"), let reader = FuzzedReader(rawValue: String(cString: name)) else {
        fatalError("Set S3FILE_FUZZ_READER to one of \(FuzzedReader.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return reader
}()

/// What libFuzzer calls with each input. Under this name, because its own main function, unused as it is, refers to it.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try reader.check(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(reader): \(error)")
    }
    return 0
}

@main
struct Fuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runFuzzer(&count, &arguments, testOneInput))
    }
}
