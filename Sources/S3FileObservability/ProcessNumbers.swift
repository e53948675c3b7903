#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What Linux tells of this process, under the names that every Prometheus client has for it.
/// <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>
struct ProcessNumbers {
    var cpuSeconds: Double
    var residentBytes: Double
    var virtualBytes: Double
    var startSeconds: Double
    var openFiles: Double
    var maximumFiles: Double

    /// Nil where there is no /proc. These are files in memory: reading them waits for no disk.
    static func read() -> ProcessNumbers? {
        #if os(Linux)
            guard let stat = self.file("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return nil }
            // From the third field on; the second, the name, may hold anything. proc(5) counts from 1.
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            func field(_ number: Int) -> Double { fields.count > number - 3 ? Double(fields[number - 3]) ?? 0 : 0 }
            let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
            let boot =
                self.file("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
                .flatMap { Double($0.dropFirst(6)) } ?? 0
            var limit = rlimit()
            let hasLimit = getrlimit(__rlimit_resource_t(7), &limit) == 0  // RLIMIT_NOFILE
            let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
            return ProcessNumbers(
                cpuSeconds: (field(14) + field(15)) / ticks,
                residentBytes: field(24) * Double(max(1, sysconf(Int32(_SC_PAGESIZE)))),
                virtualBytes: field(23),
                startSeconds: boot + field(22) / ticks,
                openFiles: Double(open),
                maximumFiles: hasLimit ? Double(limit.rlim_cur) : 0
            )
        #else
            return nil
        #endif
    }

    private static func file(_ path: String) -> String? {
        (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) }
    }

    func write(to text: inout String) {
        let gauges: [(String, PrometheusMetrics.Kind, String, Double)] = [
            ("process_cpu_seconds_total", .counter, "Time on processors, user and system, in seconds.", self.cpuSeconds),
            ("process_max_fds", .gauge, "How many files may be open.", self.maximumFiles),
            ("process_open_fds", .gauge, "How many files are open.", self.openFiles),
            ("process_resident_memory_bytes", .gauge, "Memory in use, in bytes.", self.residentBytes),
            ("process_start_time_seconds", .gauge, "When the process began, in seconds since 1970.", self.startSeconds),
            ("process_virtual_memory_bytes", .gauge, "Memory that is addressed, in bytes.", self.virtualBytes),
        ]
        for (name, kind, help, value) in gauges {
            PrometheusMetrics.begin(name, kind, help, &text)
            PrometheusMetrics.line(name, "", PrometheusMetrics.number(value), &text)
        }
    }
}
