// swift-tools-version: 6.2
import PackageDescription

/// Every target: Swift 6 mode (by the tools version), strict memory safety, no warning left standing.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]

/// Modules of the data path: specialised across module borders. `Shard<UringRing>` costs a third of what it does
/// without (Sources/README.md, 'Cross-module optimisation').
let hot: [SwiftSetting] = strict + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

/// The programs that ship carry Swift's runtime. Only the link differs: `--static-swift-stdlib` would change every
/// compile command and so build everything twice, for the tests need the dynamic runtime (Testing has no other).
/// The libraries are what FoundationEssentials, under the argument parser, needs and does not name.
let shipped: [LinkerSetting] = [
  .unsafeFlags(["-static-stdlib", "-Xlinker", "--no-export-dynamic"]), .linkedLibrary("swiftSynchronization"),
  .linkedLibrary("_FoundationCShims"),
  .linkedLibrary("_FoundationCollections"),
]

let package = Package(
  name: "ringlet",
  products: [
    .executable(name: "ringlet", targets: ["ringlet"]),
    .executable(name: "ringperf", targets: ["ringperf"]),
    .executable(name: "standin", targets: ["standin"]),
    .executable(name: "Benchmarks", targets: ["Benchmarks"]),
    .executable(name: "floor", targets: ["floor"]),
    .executable(name: "simulate", targets: ["simulate"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .executableTarget(
      name: "standin",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      path: "Tools/standin", swiftSettings: strict),
    .systemLibrary(name: "CLiburing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
    .target(name: "CSocket"),
    .target(name: "CUring", dependencies: ["CLiburing", "CSocket"]),
    .target(name: "CEpoll", dependencies: ["CSocket"]),
    .target(name: "CAtomics"),
    // Static: the image needs no more packages, and without a TLS upstream hardly a page of it is touched.
    .target(name: "CTLS", linkerSettings: [.linkedLibrary(":libssl.a"), .linkedLibrary(":libcrypto.a")]),
    .target(name: "TLS", dependencies: ["CTLS", "Engine", "Memory"], swiftSettings: strict),
    .target(name: "Memory", dependencies: ["CAtomics"], swiftSettings: hot),
    .target(name: "Wire", dependencies: ["Memory"], swiftSettings: hot),
    .target(name: "Cache", dependencies: ["Memory", "CAtomics"], swiftSettings: hot),
    .target(name: "Upstream", dependencies: ["Memory", "Wire"], swiftSettings: hot),
    .target(name: "Engine", dependencies: ["Memory", "Wire", "Cache", "Upstream"], swiftSettings: hot),
    .target(name: "Sockets", dependencies: ["Memory", "Engine", "CSocket"], swiftSettings: hot),
    .target(
      name: "Uring", dependencies: ["Memory", "Upstream", "Engine", "Sockets", "CSocket", "CUring"], swiftSettings: hot),
    .target(
      name: "Epoll", dependencies: ["Memory", "Upstream", "Engine", "Sockets", "CSocket", "CEpoll"], swiftSettings: hot),
    .target(
      name: "Rings", dependencies: ["Memory", "Cache", "Engine", "Sockets", "CSocket", "Uring", "Epoll"],
      swiftSettings: hot),
    .target(name: "Corefile", swiftSettings: strict),
    .systemLibrary(name: "CNetlink"),
    .target(name: "Network", dependencies: ["CNetlink", "Corefile"], swiftSettings: strict),
    .target(name: "Chain", dependencies: ["Corefile", "Engine", "Memory", "Wire"], swiftSettings: strict),
    .target(name: "Template", dependencies: ["Corefile"], swiftSettings: strict),
    .target(
      name: "Control",
      dependencies: [
        "Cache", "Chain", "Corefile", "Engine", "Memory", "Network", "Rings", "Sockets", "Template", "TLS", "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "ringlet", dependencies: ["Control"], swiftSettings: hot,
      linkerSettings: shipped),
    .executableTarget(
      name: "ringperf",
      dependencies: [
        "Corefile", "CSocket", "CUring", "Memory", "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], path: "Tools/ringperf", swiftSettings: hot),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Benchmarks/Launcher", swiftSettings: strict),
    .executableTarget(
      name: "floor", dependencies: ["Engine", "Memory", "Sockets", "Uring", "CSocket"], path: "Benchmarks/Floor",
      swiftSettings: hot),
    .executableTarget(
      name: "Microbenchmarks",
      dependencies: [
        "Cache", "Engine", "MallocCount", "Memory", "Upstream", "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Benchmarks/Micro", exclude: ["README.md"], swiftSettings: hot,
      // Valgrind 3.19 gives up at clang's DWARF 5; what callgrind needs is the symbols.
      linkerSettings: [.unsafeFlags(["-Xlinker", "--strip-debug"])]),
    .target(name: "MallocCount", path: "Tests/MallocCount"),
    .target(
      name: "FuzzTargets", dependencies: ["Chain", "Corefile", "Engine", "Memory", "Template", "Upstream", "Wire"],
      path: "Tests/Fuzz", exclude: ["LibFuzzer", "corpus"], swiftSettings: strict),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"], swiftSettings: strict),
    .testTarget(name: "WireTests", dependencies: ["Wire", "Memory"], swiftSettings: strict),
    .testTarget(name: "UpstreamTests", dependencies: ["Upstream", "Memory"], swiftSettings: strict),
    .testTarget(name: "CacheTests", dependencies: ["Cache", "Memory", "MallocCount"], swiftSettings: strict),
    .target(
      name: "Simulation", dependencies: ["Engine", "Upstream", "Wire", "Cache", "Memory"], path: "Tests/Simulation",
      swiftSettings: hot),
    .executableTarget(
      name: "simulate",
      dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Tests/Simulate", swiftSettings: strict),
    .testTarget(name: "EngineTests", dependencies: ["Simulation", "Engine"], swiftSettings: strict),
    .testTarget(
      name: "RingTests", dependencies: ["CSocket", "Engine", "Epoll", "Memory", "Rings", "Sockets", "Uring"],
      swiftSettings: strict),
    .testTarget(name: "ChainTests", dependencies: ["Chain", "Corefile", "Engine", "Memory"], swiftSettings: strict),
    .testTarget(name: "CorefileTests", dependencies: ["Corefile"], swiftSettings: strict),
    .testTarget(name: "NetworkTests", dependencies: ["Network", "Corefile"], swiftSettings: strict),
    .testTarget(name: "TemplateTests", dependencies: ["Template", "Corefile"], swiftSettings: strict),
    .executableTarget(
      name: "ControlProbe", dependencies: ["Control"], path: "Tests/ControlProbe", swiftSettings: strict),
    .testTarget(name: "ControlTests", dependencies: ["Control", "ControlProbe", "Corefile"], swiftSettings: strict),
  ]
)
