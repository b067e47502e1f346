import FoundationEssentials

/// Programs: what is built here, and what has to be there.
enum Toolchain {
  /// Where `swift build -c release` puts a product.
  static func program(_ product: String) -> String { ".build/release/\(product)" }

  /// The path of a program of PATH, or of the system administrator's directories, which only root has in it.
  static func find(_ name: String) -> String? {
    if name.contains("/") { return FileManager.default.isExecutableFile(atPath: name) ? name : nil }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return (path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"])
      .map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
  }

  /// Fails with the lines that install what is missing of what the given parts cannot do without.
  static func check(_ parts: Set<Part>) throws {
    guard FileManager.default.fileExists(atPath: "Package.swift") else {
      throw Failure("no Package.swift here; run 'swift run Benchmarks' in the root of Ringlet's repository")
    }
    var missing: [String] = []
    func need(_ isThere: Bool, _ what: String) { if !isThere { missing.append(what) } }
    need(find("swift") != nil, "swift in PATH: https://swift.org/install")
    need(
      FileManager.default.fileExists(atPath: "/usr/include/liburing.h"),
      "liburing's header: apt-get install liburing-dev pkg-config")
    need(
      FileManager.default.fileExists(atPath: "/usr/include/openssl/ssl.h"), "OpenSSL's: apt-get install libssl-dev")
    if parts != [.micro] {
      need(find("nsd") != nil && find("nsd-control") != nil, "nsd, the upstream: apt-get install nsd")
      need(find("taskset") != nil, "taskset: apt-get install util-linux")
    }
    guard missing.isEmpty else { throw Failure("missing:\n  " + missing.joined(separator: "\n  ")) }
  }

  /// Builds a product for release, and shows how that goes. Always with the same flags: others build all anew.
  static func build(_ products: [String]) throws {
    for product in products {
      Progress.show("building \(product)")
      Progress.clear()
      let child = try Child(["swift", "build", "-c", "release", "--no-color-diagnostics", "--product", product])
      defer { child.end() }
      guard try child.wait(seconds: 3600) == 0 else { throw Failure("\(product) cannot be built; see above") }
    }
  }
}
