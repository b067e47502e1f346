import Foundation

/// What each benchmark may cost, by processor architecture and name: `Benchmarks/thresholds.json`.
struct Thresholds: Codable {
  struct Cost: Codable {
    var instructions: Double
    var mallocs: Double
  }

  private var architectures: [String: [String: Cost]] = [:]

  /// Instructions may grow by this much before they count as more: what the compiler does to code nearby.
  static let margin = 1.03
  static let file = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("thresholds.json").path

  #if arch(x86_64)
    private static let architecture = "x86_64"
  #elseif arch(arm64)
    private static let architecture = "arm64"
  #endif

  init() {}

  init(_ path: String) throws {
    architectures = try JSONDecoder().decode(
      [String: [String: Cost]].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// Whether there are any for this architecture; then every benchmark needs one.
  var areKnown: Bool { architectures[Self.architecture] != nil }

  subscript(name: String) -> Cost? {
    get { architectures[Self.architecture]?[name] }
    set { architectures[Self.architecture, default: [:]][name] = newValue }
  }

  func write(_ path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try (encoder.encode(architectures) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path))
  }
}
