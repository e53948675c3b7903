// swift-tools-version: 6.2
import PackageDescription

let warningsAsErrors = Context.environment["S3FILE_WARNINGS_AS_ERRORS"] == "1"
/// Set by the scripts in Benchmarks; nobody else pays for building their program.
let withBenchmarks = Context.environment["S3FILE_BENCHMARKS"] == "1"

/// One array for every target of ours, so that no corner of the package lives under other rules.
let swiftSettings: [SwiftSetting] =
    [
        // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
        .enableUpcomingFeature("ExistentialAny"),
        // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
        .enableUpcomingFeature("MemberImportVisibility"),
        // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
        .enableUpcomingFeature("InternalImportsByDefault"),
        // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0461-async-function-isolation.md
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (warningsAsErrors ? [.treatAllWarnings(as: .error)] : [])

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncAlgorithms = Target.Dependency.product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let inMemoryTracing = Target.Dependency.product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let nioConcurrencyHelpers = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioFoundationCompat = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioFileSystem = Target.Dependency.product(name: "_NIOFileSystem", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
/// The package's name for what Apple's platforms have in their SDK; Subprocess speaks in its paths and descriptors.
let systemPackage = Target.Dependency.product(
    name: "SystemPackage",
    package: "swift-system",
    condition: .when(platforms: [.linux])
)
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

/// Set by bin/fuzz: libFuzzer brings a main function of its own, and wants the readers built to tell it where they go.
let withFuzzing = Context.environment["S3FILE_FUZZ"] == "1"
let fuzzed: [SwiftSetting] = withFuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : []

let fuzzTargets: [Target] =
    withFuzzing
    ? [
        .executableTarget(
            name: "Fuzz",
            dependencies: ["FuzzInvariants"],
            path: "Tests/Fuzz",
            swiftSettings: swiftSettings + [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]
        )
    ] : []

/// Measures the queue through the same code as the worker. It sees `package` declarations, so it is a target of this package.
let benchmarkTargets: [Target] =
    withBenchmarks
    ? [
        .executableTarget(
            name: "QueueBenchmark",
            dependencies: [
                "Postgres", "S3", "S3File", "S3FileHummingbird", "S3FileObservability", "S3FileWorker", argumentParser,
                asyncHTTPClient,
                configuration, coreMetrics, hummingbird, logging, nioCore, serviceLifecycle, unixSignals,
            ],
            path: "Benchmarks/QueueBenchmark",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "EventsBenchmark",
            dependencies: [
                "S3File", "S3FileHummingbird", "S3FileWorker", "Postgres", argumentParser, hummingbird, logging, serviceLifecycle,
                unixSignals,
            ],
            path: "Benchmarks/EventsBenchmark",
            swiftSettings: swiftSettings
        ),
    ] : []

/// Set by bin/prove: real processes, real faults, and a verdict.
let proveTargets: [Target] =
    Context.environment["S3FILE_PROVE"] == "1"
    ? [
        .executableTarget(
            name: "Prove",
            dependencies: [
                "Postgres", "Proof", "S3", "S3DevServer", "S3File", "TestEnvironment", argumentParser, asyncHTTPClient, crypto,
                logging, nioConcurrencyHelpers, nioCore, nioFoundationCompat, nioHTTP1, serviceLifecycle, unixSignals,
            ],
            path: "Tests/Prove",
            exclude: ["Model", "Mutations"],
            swiftSettings: swiftSettings
        )
    ] : []

let package = Package(
    name: "s3file",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "S3File", targets: ["S3File"]),
        .library(name: "S3FileHTTP", targets: ["S3FileHTTP"]),
        .library(name: "S3FileObservability", targets: ["S3FileObservability"]),
        .library(name: "S3FileHummingbird", targets: ["S3FileHummingbird"]),
        .library(name: "S3FileTesting", targets: ["S3FileTesting"]),
        .library(name: "S3FileWorker", targets: ["S3FileWorker"]),
        .executable(name: "s3file", targets: ["S3FileCommand"]),
    ]
        + (withBenchmarks
            ? [
                .executable(name: "queue-benchmark", targets: ["QueueBenchmark"]),
                .executable(name: "events-benchmark", targets: ["EventsBenchmark"]),
            ] : [])
        + (withFuzzing ? [.executable(name: "fuzz", targets: ["Fuzz"])] : [])
        + (proveTargets.isEmpty ? [] : [.executable(name: "prove", targets: ["Prove"])]),
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration",
            from: "1.4.0",
            traits: [.defaults, "CommandLineArguments"]
        ),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // What anybody's metrics and logs can be told in: knows nothing of uploads.
        .target(name: "S3FileObservability", dependencies: [coreMetrics, logging], swiftSettings: swiftSettings),
        // Postgres without blocking: knows nothing of uploads.
        .systemLibrary(
            name: "CLibpq",
            path: "Sources/CLibpq",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .target(
            name: "Postgres",
            dependencies: [
                "CLibpq", coreMetrics, crypto, deque, logging, nioConcurrencyHelpers, nioCore, nioPosix, serviceLifecycle,
            ],
            swiftSettings: swiftSettings
        ),
        // S3 without uploads: signing, client, errors.
        .target(
            name: "S3",
            dependencies: [
                asyncHTTPClient, coreMetrics, crypto, deque, logging, nioConcurrencyHelpers, nioCore, nioFoundationCompat,
                nioHTTP1,
                nioPosix, nioSSL, subprocess, systemPackage, tracing,
            ],
            swiftSettings: swiftSettings + fuzzed
        ),
        // The numbered SQL of the repository, embedded.
        .target(
            name: "Migrations",
            path: "migrations",
            exclude: ["psql", "up.psql"],
            resources: [
                "0001_uploads.sql",
                "0002_jobs.sql", "0002_jobs.down.sql",
                "0003_enqueue.sql", "0003_enqueue.down.sql",
                "0004_claim.sql", "0004_claim.down.sql",
                "0005_settle.sql", "0005_settle.down.sql",
                "0006_moves.sql", "0006_moves.down.sql",
                "0007_upkeep.sql", "0007_upkeep.down.sql",
                "0008_observe.sql", "0008_observe.down.sql",
                "0009_operators.sql", "0009_operators.down.sql",
                "0010_dashboard.sql", "0010_dashboard.down.sql",
                "0011_errors.sql", "0011_errors.down.sql",
                "0012_backoff.sql", "0012_backoff.down.sql", "0013_passing.sql", "0013_passing.down.sql",
                "0014_comparison.sql", "0014_comparison.down.sql", "0015_given_up.sql", "0015_given_up.down.sql",
                "schema_migration.sql",
            ].map { .embedInCode($0) },
            swiftSettings: swiftSettings
        ),
        // The domain: fields, tickets, promises, uploads and their queue.
        .target(
            name: "S3File",
            dependencies: [
                "Migrations", "Postgres", "S3", asyncHTTPClient, configuration, coreMetrics, crypto, logging,
                nioConcurrencyHelpers,
                nioCore, nioFoundationCompat, serviceLifecycle, tracing,
            ],
            swiftSettings: swiftSettings + fuzzed
        ),
        .target(
            name: "S3DevServer",
            dependencies: [
                "S3", "S3File", crypto, httpTypes, hummingbird, hummingbirdCore, logging, nioConcurrencyHelpers, nioCore,
                nioHTTPTypes,
                nioPosix, serviceLifecycle,
            ],
            swiftSettings: swiftSettings + fuzzed
        ),
        .target(
            name: "S3FileWorker",
            dependencies: [
                "Postgres", "S3", "S3File", crypto, asyncAlgorithms, coreMetrics, deque, logging, nioConcurrencyHelpers, nioCore,
                nioPosix, serviceLifecycle, tracing,
            ],
            swiftSettings: swiftSettings
        ),
        // The web side without a framework: forms, endpoints, the browser's script. An adapter for another framework is thin.
        .target(
            name: "S3FileHTTP",
            dependencies: [
                "S3", "S3File", "S3FileObservability", coreMetrics, crypto, httpTypes, logging, nioConcurrencyHelpers,
                nioCore, nioFoundationCompat, tracing,
            ],
            resources: [
                "script/texts.js", "script/rows.js", "script/files.js", "script/upload.js", "script/form.js", "s3file-retry.js",
                "s3file-options.js", "s3file-multipart.js", "s3file-status.js", "style/palette.css", "style/files.css",
                "style/progress.css", "style/journey.css", "style/refusal.css", "style/preferences.css",
                "dashboard/dashboard.js", "dashboard/page.css", "dashboard/tables.css",
            ].map { .embedInCode("Resources/\($0)") },
            swiftSettings: swiftSettings
        ),
        .target(
            name: "S3FileHummingbird",
            dependencies: [
                "S3File", "S3FileHTTP", "S3FileObservability", httpTypes, hummingbird, nioConcurrencyHelpers, nioCore,
            ],
            swiftSettings: swiftSettings
        ),
        // The web side as a program of its own, for apps in other languages: `s3file serve`.
        .target(
            name: "S3FileService",
            dependencies: [
                "Postgres", "S3", "S3File", "S3FileHTTP", "S3FileHummingbird", configuration, crypto, httpTypes, hummingbird,
                logging,
                nioCore, nioFoundationCompat, nioPosix, serviceLifecycle,
            ],
            resources: [.embedInCode("Resources/openapi.json")],
            swiftSettings: swiftSettings
        ),
        // For the tests of apps: the record and the store in memory.
        .target(
            name: "S3FileTesting",
            dependencies: ["S3", "S3File", asyncHTTPClient, crypto, httpTypes, logging, nioCore, serviceLifecycle],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "S3FileCommand",
            dependencies: [
                "Migrations", "Postgres", "S3", "S3DevServer", "S3File", "S3FileHummingbird", "S3FileObservability",
                "S3FileService", "S3FileWorker",
                argumentParser, asyncHTTPClient, configuration, coreMetrics, hummingbird, logging,
                nioCore, nioHTTP1, nioPosix, serviceLifecycle, subprocess, systemPackage, unixSignals,
            ],
            swiftSettings: swiftSettings
        ),
        // Built like a user's own app: it sees public API only.
        .executableTarget(
            name: "Gallery",
            dependencies: ["S3File", "S3FileHummingbird", configuration, hummingbird, logging, mustache],
            path: "Examples/Gallery",
            exclude: ["Screenshots"],
            packageAccess: false,
            swiftSettings: swiftSettings
        ),
        // The README's program, so that it compiles.
        .executableTarget(
            name: "Minimal",
            dependencies: ["S3File", "S3FileHummingbird", configuration, hummingbird, logging],
            path: "Examples/Minimal",
            packageAccess: false,
            swiftSettings: swiftSettings
        ),

        // Tests are arranged like Sources; TestEnvironment finds the Postgres and S3 that bin/test started.
        .target(
            name: "TestEnvironment",
            dependencies: [
                "Migrations", "Postgres", "S3", "S3DevServer", "S3File", "S3FileObservability", asyncHTTPClient, crypto, logging,
                nioConcurrencyHelpers, nioCore, nioHTTP1, nioPosix, serviceLifecycle, subprocess, systemPackage,
            ],
            path: "Tests/TestEnvironment",
            exclude: ["Django/site.py"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileObservabilityTests",
            dependencies: ["S3FileObservability", "TestEnvironment", coreMetrics, logging],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "PostgresTests",
            dependencies: [
                "Migrations", "Postgres", "Proof", "S3FileObservability", "TestEnvironment", coreMetrics, logging,
                nioConcurrencyHelpers, nioCore,
                serviceLifecycle,
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3Tests",
            dependencies: [
                "Proof", "S3", "S3FileObservability", "TestEnvironment", asyncHTTPClient, coreMetrics, crypto, logging,
                nioConcurrencyHelpers,
                nioCore, nioFoundationCompat, nioHTTP1, nioPosix, nioSSL,
            ],
            exclude: ["Fixtures"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileTests",
            dependencies: [
                "Migrations", "S3File", "Postgres", "S3", "TestEnvironment", configuration, crypto, inMemoryTracing, logging,
                nioCore, tracing,
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3DevServerTests",
            dependencies: [
                "S3DevServer", "S3", "S3File", "TestEnvironment", asyncHTTPClient, crypto, hummingbird, logging,
                nioConcurrencyHelpers, nioCore,
                nioFoundationCompat, nioHTTP1, nioPosix, serviceLifecycle, subprocess,
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileWorkerTests",
            dependencies: [
                "S3FileWorker", "S3File", "S3DevServer", "S3", "S3FileObservability", "Postgres", "Proof", "TestEnvironment",
                asyncHTTPClient,
                coreMetrics, logging, nioConcurrencyHelpers, nioCore, nioPosix, serviceLifecycle,
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileHummingbirdTests",
            dependencies: [
                "S3FileHummingbird", "S3FileHTTP", "S3FileObservability", "S3FileTesting", "S3FileWorker", "S3File",
                "S3DevServer", "S3",
                "Postgres",
                "TestEnvironment", asyncHTTPClient, coreMetrics, crypto, hummingbird, hummingbirdTesting, httpTypes, logging,
                nioConcurrencyHelpers, nioCore,
                nioHTTP1,
                serviceLifecycle,
            ],
            swiftSettings: swiftSettings
        ),
        // Built like a user's own tests: it sees public API only.
        .testTarget(
            name: "S3FileTestingTests",
            dependencies: [
                "S3File", "S3FileHummingbird", "S3FileTesting", httpTypes, hummingbird, hummingbirdTesting, logging, nioCore,
            ],
            packageAccess: false,
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileHTTPTests",
            dependencies: ["S3FileHTTP", "S3File", "S3FileObservability", coreMetrics, httpTypes, nioCore],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileServiceTests",
            dependencies: [
                "S3FileService", "S3FileHTTP", "S3FileHummingbird", "S3FileTesting", "S3File", "S3", "S3DevServer", "Postgres",
                "TestEnvironment", asyncHTTPClient, configuration, hummingbird, hummingbirdTesting, httpTypes, logging,
                nioConcurrencyHelpers, nioCore, nioHTTP1, serviceLifecycle,
            ],
            exclude: ["Document/schemathesis.toml"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "S3FileCommandTests",
            dependencies: [
                "Migrations", "Postgres", "S3", "S3DevServer", "S3FileCommand", "TestEnvironment", "S3File", configuration,
                logging, nioCore, subprocess,
            ],
            swiftSettings: swiftSettings
        ),
        // One suite for all stores that bin/test starts.
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "S3", "S3File", "S3FileWorker", "Postgres", "TestEnvironment", asyncHTTPClient, logging, nioCore, nioHTTP1,
                serviceLifecycle,
            ],
            swiftSettings: swiftSettings
        ),
        // Web side and worker in one process, and all that they tell of themselves.
        .testTarget(
            name: "ObservationTests",
            dependencies: [
                "Postgres", "S3", "S3DevServer", "S3File", "S3FileHTTP", "S3FileObservability", "S3FileWorker", "TestEnvironment",
                coreMetrics, httpTypes, inMemoryTracing, logging, nioConcurrencyHelpers, nioCore, serviceLifecycle, tracing,
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "JourneyTests",
            dependencies: [
                "S3", "S3File", "Postgres", "TestEnvironment", asyncHTTPClient, logging, nioCore, nioHTTP1, subprocess,
            ],
            swiftSettings: swiftSettings
        ),
        // Real processes that are killed, stopped and cut off.
        .testTarget(
            name: "ChaosTests",
            dependencies: [
                "S3", "S3DevServer", "S3File", "Postgres", "TestEnvironment", asyncHTTPClient, logging, nioConcurrencyHelpers,
                nioCore, nioFoundationCompat, nioHTTP1,
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "PageTests",
            dependencies: [
                "Postgres", "S3", "S3File", "TestEnvironment", asyncHTTPClient, logging, nioCore, nioFoundationCompat, nioHTTP1,
                subprocess,
            ],
            swiftSettings: swiftSettings
        ),
        // The plan of a proof, and its verdict: without processes, so that both are tested. The runs are Tests/Prove's.
        .target(name: "Proof", dependencies: ["S3DevServer", heap], path: "Tests/Proof", swiftSettings: swiftSettings),
        .testTarget(name: "ProofTests", dependencies: ["Proof", "S3DevServer"], swiftSettings: swiftSettings),
        // What must hold of every reader of bytes from anywhere: for libFuzzer (bin/fuzz), and for the corpus it left.
        .target(
            name: "FuzzInvariants",
            dependencies: [
                "Postgres", "S3", "S3DevServer", "S3File", "S3FileHTTP", "S3FileService", configuration, crypto, nioCore,
            ],
            path: "Tests/FuzzInvariants",
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzInvariants"], exclude: ["Corpus"], swiftSettings: swiftSettings),
    ] + benchmarkTargets + fuzzTargets + proveTargets,
    swiftLanguageModes: [.v6]
)

// A build under a sanitizer takes twice its time, so `bin/test --tsan` builds what its tests need, and nothing else.
if let tests = Context.environment["S3FILE_ONLY_TESTS"]?.split(separator: "|").map(String.init) {
    let ours = Dictionary(uniqueKeysWithValues: package.targets.map { ($0.name, $0) })
    var needed: Set<String> = []
    var waiting = tests
    while let name = waiting.popLast() {
        guard let target = ours[name], needed.insert(name).inserted else { continue }
        waiting += target.dependencies.compactMap { if case .byNameItem(let name, _) = $0 { name } else { nil } }
    }
    package.targets.removeAll { !needed.contains($0.name) }
    // Snippets are built in any case, with the libraries that there are.
    package.products.removeAll { product in
        (product as? Product.Library).map { !$0.targets.allSatisfy(needed.contains) } ?? true
    }
}
