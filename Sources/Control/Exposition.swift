/// One answer to a scrape: metric families with their series, written in Prometheus' text format 0.0.4.
///
/// The order is that of client_golang, whatever the order of the calls: families by name, series by label values.
/// Equal series add up, so each shard may report its own counts. A family without series is not written.
///
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/, 'Text-based format'.
public struct Exposition {
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  public enum Kind: String, Sendable { case counter, gauge, histogram }

  /// Name and value; sorted by name where it is written.
  public typealias Labels = KeyValuePairs<String, String>

  private enum Value {
    case number(Double)
    case histogram(Histogram)
  }

  private struct Family {
    let kind: Kind
    let help: String
    /// By the written form of the labels, without braces.
    var series: [String: (values: [String], value: Value)] = [:]

    mutating func add(_ labels: String, _ values: [String], _ value: Value) {
      if let index = series.index(forKey: labels) {
        series.values[index].value = Exposition.sum(series.values[index].value, value)
      } else {
        series[labels] = (values, value)
      }
    }
  }

  private var families: [String: Family] = [:]

  public init() {}

  /// Adds to a counter. `name` must not be a family of another kind.
  public mutating func counter(_ name: String, _ value: Double, help: String, labels: Labels = [:]) {
    add(name, .counter, help, labels, .number(value))
  }

  public mutating func gauge(_ name: String, _ value: Double, help: String, labels: Labels = [:]) {
    add(name, .gauge, help, labels, .number(value))
  }

  /// Histograms of one series must have the same bounds.
  public mutating func histogram(_ name: String, _ value: Histogram, help: String, labels: Labels = [:]) {
    add(name, .histogram, help, labels, .histogram(value))
  }

  private mutating func add(_ name: String, _ kind: Kind, _ help: String, _ labels: Labels, _ value: Value) {
    let sorted = labels.sorted { $0.key < $1.key }
    var written = ""
    written.reserveCapacity(127)
    for (label, value) in sorted {
      if !written.isEmpty { written += "," }
      written += label
      written += "=\""
      written += Self.escaped(value, quotes: true)
      written += "\""
    }
    families[name, default: Family(kind: kind, help: help)].add(written, sorted.map(\.value), value)
    precondition(families[name]?.kind == kind, "\(name) is of another kind than \(kind)")
  }

  private static func sum(_ left: Value, _ right: Value) -> Value {
    switch (left, right) {
    case (.number(let left), .number(let right)): return .number(left + right)
    case (.histogram(var left), .histogram(let right)):
      precondition(left.bounds == right.bounds)
      for index in left.counts.indices { left.counts[index] += right.counts[index] }
      left.sum += right.sum
      return .histogram(left)
    default: preconditionFailure("a number and a histogram in one family")
    }
  }

  /// The whole text, as UTF-8. Written as bytes: as strings it took four times the CPU, of which a scrape is to take
  /// little.
  public func text() -> [UInt8] {
    var out: [UInt8] = []
    var buckets: [[Double]: [[UInt8]]] = [:]
    for (name, family) in families.sorted(by: { $0.key < $1.key }) {
      out += "# HELP \(name) \(Self.escaped(family.help, quotes: false))\n# TYPE \(name) \(family.kind.rawValue)\n".utf8
      let series = family.series.sorted { $0.value.values.lexicographicallyPrecedes($1.value.values) }
      for (labels, (_, value)) in series {
        switch value {
        case .number(let number): Self.write(name, "", labels, number, to: &out)
        case .histogram(let histogram):
          let bounds = buckets[histogram.bounds] ?? Self.bounds(histogram.bounds)
          buckets[histogram.bounds] = bounds
          Self.write(name, labels, histogram, bounds, to: &out)
        }
      }
    }
    return out
  }

  /// What stands behind the other labels of each bucket: `le="0.1"} `. Histograms share their bounds.
  private static func bounds(_ bounds: [Double]) -> [[UInt8]] {
    (bounds + [.infinity]).map { Array("le=\"\(GoFloat.general($0))\"} ".utf8) }
  }

  private static func write(
    _ name: String, _ labels: String, _ histogram: Histogram, _ bounds: [[UInt8]], to out: inout [UInt8]
  ) {
    var cumulative: UInt64 = 0
    let start = Array("\(name)_bucket{\(labels)\(labels.isEmpty ? "" : ",")".utf8)
    for (bound, count) in zip(bounds, histogram.counts) {
      cumulative += count
      out += start
      out += bound
      // Whole: 1000000 and not 1e+06.
      out += String(cumulative).utf8
      out.append(UInt8(ascii: "\n"))
    }
    write(name, "_sum", labels, histogram.sum, to: &out)
    out += "\(name)_count\(labels.isEmpty ? "" : "{\(labels)}") \(cumulative)\n".utf8
  }

  private static func write(
    _ name: String, _ suffix: String, _ labels: String, _ value: Double, to out: inout [UInt8]
  ) {
    out += name.utf8
    out += suffix.utf8
    if !labels.isEmpty {
      out.append(UInt8(ascii: "{"))
      out += labels.utf8
      out.append(UInt8(ascii: "}"))
    }
    out.append(UInt8(ascii: " "))
    out += GoFloat.general(value).utf8
    out.append(UInt8(ascii: "\n"))
  }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
    var out = ""
    for character in text.unicodeScalars {
      switch character {
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\"" where quotes: out += "\\\""
      default: out.unicodeScalars.append(character)
      }
    }
    return out
  }
}
