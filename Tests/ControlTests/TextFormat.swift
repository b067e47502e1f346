/// A strict reader of Prometheus' text format 0.0.4, for what `Exposition` writes: it takes nothing that a scraper might
/// refuse or read in another way.
struct TextFormat {
  /// By the series as written, such as `x_bucket{le="1"}`.
  var samples: [String: Double] = [:]
  /// By family.
  var kinds: [String: String] = [:]

  struct Malformed: Error {
    let line: String
    let reason: String
  }

  init(_ text: String) throws {
    guard text.isEmpty || text.hasSuffix("\n") else { throw Malformed(line: "", reason: "no newline at the end") }
    var family = ""
    var helped = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      func refuse(_ reason: String) -> Malformed { Malformed(line: String(line), reason: reason) }
      if let match = line.wholeMatch(of: /# HELP ([a-z_]+) (.+)/) {
        helped = String(match.1)
        guard helped > family else { throw refuse("family out of order, or twice") }
      } else if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/) {
        guard match.1 == helped else { throw refuse("TYPE without HELP") }
        family = helped
        kinds[family] = String(match.2)
      } else if let match = line.wholeMatch(of: unsafe Self.sample) {
        let suffix = match.1.dropFirst(family.count)
        let suffixes = kinds[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard match.1.hasPrefix(family), suffixes.contains(String(suffix)) else { throw refuse("not of \(family)") }
        guard let value = Double(match.3 == "+Inf" ? "inf" : match.3) else { throw refuse("no number") }
        let series = String(match.1 + (match.2 ?? ""))
        guard samples.updateValue(value, forKey: series) == nil else { throw refuse("twice") }
      } else {
        throw refuse("no line of the format")
      }
    }
  }

  /// name, labels with braces, value.
  nonisolated(unsafe) private static let sample =
    /([a-z_]+)(\{[a-z_]+="(?:[^"\\]|\\["n\\])*"(?:,[a-z_]+="(?:[^"\\]|\\["n\\])*")*\})? ([0-9.e+-]+|NaN|[+-]Inf)/
}
