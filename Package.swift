// swift-tools-version: 6.2
import PackageDescription

// Strict memory safety makes every unsafe expression visible. A warning is an error. An import is private to its file
// unless it says otherwise, so that no target leaks what it is made of.
let settings: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  // `@_lifetime` on the few functions that return a span.
  .enableExperimentalFeature("Lifetimes"),
]

// The targets in the request path. Their dynamic exclusivity checks (7 % of a plain request's CPU time) stay on in
// debug builds, in which every test and fuzzer runs, and are left out of release builds.
let hotSettings =
  settings + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// `make release` says which commit it builds, and with which Swift.
let buildFacts = ["CATRACA_COMMIT", "CATRACA_SWIFT"].map {
  CSetting.define($0, to: "\"\(Context.environment[$0] ?? "")\"")
}

// What each target may import. `make lint` builds with the check that enforces it.
let package = Package(
  name: "catraca",
  products: [.executable(name: "catraca", targets: ["catraca"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "CLinux"),
    .target(name: "CBuild", cSettings: buildFacts),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CIgzip", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CBrotli", pkgConfig: "libbrotlienc", providers: [.apt(["libbrotli-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .target(name: "Bytes", swiftSettings: hotSettings),
    .target(name: "HTTPWire", dependencies: ["Bytes"], swiftSettings: hotSettings),
    .target(name: "HTTP2", dependencies: ["CNGHTTP2", "Bytes", "HTTPWire"], swiftSettings: hotSettings),
    .target(name: "Compression", dependencies: ["CZlib", "CIgzip", "CBrotli", "Bytes"], swiftSettings: hotSettings),
    .target(name: "JSON", dependencies: ["Bytes"], swiftSettings: hotSettings),
    .target(name: "GraphQL", dependencies: ["Bytes", "JSON"], swiftSettings: hotSettings),
    .target(name: "Cryptography", dependencies: ["COpenSSL", "Bytes"], swiftSettings: hotSettings),
    .target(name: "Redis", dependencies: ["Bytes"], swiftSettings: hotSettings),
    .target(name: "TLS", dependencies: ["COpenSSL", "Bytes"], swiftSettings: settings),
    .target(name: "Tokens", dependencies: ["Bytes", "JSON", "Cryptography"], swiftSettings: hotSettings),
    .target(
      name: "Configuration",
      dependencies: ["CYAML", "Bytes", "HTTPWire", "JSON", "GraphQL", "Cryptography", "Tokens"], swiftSettings: settings
    ),
    .target(
      name: "Proxy",
      dependencies: [
        "Bytes", "HTTPWire", "HTTP2", "Compression", "JSON", "GraphQL", "Cryptography", "Redis", "Tokens",
        "Configuration",
      ],
      swiftSettings: hotSettings),
    .target(
      name: "Rehearsal", dependencies: ["Bytes", "JSON", "Cryptography", "Tokens", "Configuration", "Proxy"],
      swiftSettings: settings),
    .target(
      name: "Transport", dependencies: ["CLinux", "Bytes", "TLS", "Proxy", "Tokens", "Configuration"],
      swiftSettings: hotSettings),
    .target(
      name: "ControlPlane",
      dependencies: [
        "Bytes", "Compression", "JSON", "Cryptography", "TLS", "Tokens", "HTTPWire", "Configuration", "Proxy",
        "Rehearsal", "Transport", nioCore, nioPosix,
        nioHTTP1, nioConcurrency, logging, unixSignals,
      ], swiftSettings: settings),
    .target(
      name: "Demo", dependencies: ["Bytes", "JSON", "Cryptography", "Tokens", "ControlPlane", nioCore],
      swiftSettings: settings),
    .executableTarget(
      name: "catraca",
      dependencies: [
        "CBuild", "Bytes", "JSON", "Compression", "Cryptography", "HTTP2", "TLS", "Tokens", "Configuration",
        "Rehearsal", "Transport",
        "ControlPlane", "Demo", nioCore, nioPosix, argumentParser, logging, unixSignals,
      ], swiftSettings: settings),
    // Writes the generated parts of the documents.
    .executableTarget(
      name: "Documents", dependencies: ["HTTPWire", "HTTP2", "Tokens", "Configuration", "Proxy", "ControlPlane"],
      swiftSettings: settings),

    .testTarget(name: "BytesTests", dependencies: ["Bytes", "TestBasics"], swiftSettings: settings),
    .testTarget(name: "HTTPWireTests", dependencies: ["Bytes", "HTTPWire", "TestBasics"], swiftSettings: settings),
    .testTarget(
      name: "HTTP2Tests", dependencies: ["Bytes", "HTTPWire", "HTTP2", "TestBasics", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "CompressionTests", dependencies: ["Bytes", "Compression", "TestSupport"], swiftSettings: settings),
    .testTarget(name: "JSONTests", dependencies: ["Bytes", "JSON"], swiftSettings: settings),
    .testTarget(
      name: "GraphQLTests", dependencies: ["Bytes", "JSON", "GraphQL", "TestBasics"], swiftSettings: settings),
    .testTarget(name: "RedisTests", dependencies: ["Bytes", "Redis"], swiftSettings: settings),
    .testTarget(name: "CryptographyTests", dependencies: ["Bytes", "Cryptography"], swiftSettings: settings),
    .testTarget(
      name: "TLSTests", dependencies: ["Bytes", "COpenSSL", "TLS", "TestBasics", "TestSupport"], swiftSettings: settings
    ),
    .testTarget(
      name: "TokensTests", dependencies: ["Bytes", "JSON", "Cryptography", "Tokens", "TestBasics"],
      exclude: ["Vectors"],
      swiftSettings: settings),
    .testTarget(
      name: "ConfigurationTests", dependencies: ["Configuration", "Tokens", "TestBasics"], exclude: ["Cases"],
      swiftSettings: settings),
    .testTarget(
      name: "ProxyTests",
      dependencies: [
        "Bytes", "HTTPWire", "HTTP2", "Cryptography", "Tokens", "Configuration", "Proxy", "TestBasics", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "RehearsalTests",
      dependencies: ["Cryptography", "JSON", "Tokens", "Configuration", "Proxy", "Rehearsal"],
      swiftSettings: settings),
    .testTarget(
      name: "TransportTests",
      dependencies: ["Bytes", "Configuration", "Proxy", "Transport", "TestBasics"],
      swiftSettings: settings),
    .testTarget(
      name: "ControlPlaneTests",
      dependencies: [
        "Bytes", "JSON", "GraphQL", "Cryptography", "TLS", "HTTPWire", "Tokens", "Configuration", "Proxy",
        "ControlPlane", nioCore, nioPosix, nioHTTP1, nioConcurrency, logging, "TestSupport",
      ], exclude: ["Revocation/Vectors"], swiftSettings: settings),
    .testTarget(name: "DocumentsTests", dependencies: ["ControlPlane", "Documents"], swiftSettings: settings),
    .testTarget(
      name: "DemoTests",
      dependencies: ["JSON", "Cryptography", "Tokens", "Configuration", "ControlPlane", "Demo", nioPosix],
      swiftSettings: settings),
    .systemLibrary(
      name: "CBrotliDecoder", path: "Tests/CBrotliDecoder", pkgConfig: "libbrotlidec",
      providers: [.apt(["libbrotli-dev"])]),
    // What every test target may use: it depends on nothing.
    .target(name: "TestBasics", path: "Tests/TestBasics", swiftSettings: settings),
    .target(
      name: "TestSupport",
      dependencies: [
        "CLinux", "CZlib", "CBrotliDecoder", "Bytes", "JSON", "Cryptography", "TLS", "Tokens", nioCore, nioPosix,
      ],
      path: "Tests/TestSupport", swiftSettings: settings),
    // What `LinearCostTests` counts the instructions of, under valgrind.
    .executableTarget(
      name: "WorkDriver",
      dependencies: [
        "Bytes", "HTTPWire", "HTTP2", "JSON", "GraphQL", "Cryptography", "Tokens", "Configuration", "Proxy",
        "ControlPlane",
      ],
      path: "Tests/WorkDriver", swiftSettings: settings),
    .testTarget(
      name: "GatewayTests",
      dependencies: ["GraphQL", "Cryptography", "TLS", "Tokens", "Demo", "TestBasics", "TestSupport", nioPosix],
      swiftSettings: settings),
    .testTarget(
      name: "ThreatTests", dependencies: ["Bytes", "JSON", "Cryptography", "TLS", "Tokens", "TestSupport"],
      swiftSettings: settings),
    .target(
      name: "FuzzDrivers",
      dependencies: [
        "Bytes", "HTTPWire", "HTTP2", "Compression", "JSON", "GraphQL", "Cryptography", "Redis", "TLS", "Tokens",
        "Configuration", "Proxy", "ControlPlane",
      ], path: "Fuzzing/Drivers", swiftSettings: settings),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzDrivers"], swiftSettings: settings),
    .testTarget(name: "TidyTests", swiftSettings: settings),
  ]
)
