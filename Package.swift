// swift-tools-version: 6.2
import PackageDescription

/// Every target: Swift 6 mode (by the tools version), strict memory safety, no warning left standing.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]

/// Modules of the data path: specialised across module borders. `Shard<UringRing>` costs a third of what it does
/// without (Sources/README.md, 'Cross-module optimisation').
let hot: [SwiftSetting] = strict + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

let package = Package(
  name: "ringlet",
  products: [.executable(name: "ringlet", targets: ["ringlet"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
  ],
  targets: [
    .systemLibrary(name: "CLiburing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
    .target(name: "CUring", dependencies: ["CLiburing"]),
    .target(name: "CAtomics"),
    .target(name: "Memory", swiftSettings: hot),
    .target(
      name: "Control",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "ControlProbe", dependencies: ["Control"], path: "Tests/ControlProbe", swiftSettings: strict),
    .testTarget(name: "ControlTests", dependencies: ["Control", "ControlProbe"], swiftSettings: strict),
    .executableTarget(name: "ringlet", dependencies: ["Memory", "CUring", "CAtomics"], swiftSettings: hot),
  ]
)
