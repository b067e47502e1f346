/// One answer to a scrape: metric families with their series, written in Prometheus' text format 0.0.4.
///
/// The order is that of client_golang, whatever the order of the calls: families by name, series by label values.
/// Equal series add up, so each shard may report its own counts. A family without series is not written. One that is
/// kept from scrape to scrape costs a third less.
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

  private struct Series {
    /// Written, without braces.
    let labels: String
    /// Of the labels: by these they are sorted.
    let values: [String]
    /// nil: not in this scrape.
    var value: Value?
  }

  private struct Family {
    let name: String
    let kind: Kind
    let help: String
    var series: [Series] = []
    /// By the written form of the labels.
    var places: [String: Int] = [:]
  }

  /// What was added, and where it went.
  private struct Call {
    let name: String
    let labels: Labels
    let family: Int
    let series: Int
  }

  private var families: [Family] = []
  private var places: [String: Int] = [:]
  /// Of families and of each one's series, as they are written; empty: to be sorted.
  private var order: [(family: Int, series: [Int])] = []
  /// Of the scrape before: most scrapes add the same series in the same order, and need no text of labels then.
  private var calls: [Call] = []
  private var next = 0
  private var isRepeating = true

  public init() {}

  /// Empties it for another scrape. Series that are gone by then are forgotten with the next one that is new.
  public mutating func clear() {
    if !isRepeating { self = Exposition() }
    for family in families.indices {
      for series in families[family].series.indices { families[family].series[series].value = nil }
    }
    next = 0
  }

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
    let (family, series) = place(name, kind, help, labels)
    precondition(families[family].kind == kind, "\(name) is of another kind than \(kind)")
    if let before = families[family].series[series].value {
      families[family].series[series].value = Self.sum(before, value)
    } else {
      families[family].series[series].value = value
    }
  }

  private mutating func place(
    _ name: String, _ kind: Kind, _ help: String, _ labels: Labels
  ) -> (family: Int, series: Int) {
    defer { next += 1 }
    if next < calls.count {
      let call = calls[next]
      if call.name == name, call.labels.elementsEqual(labels, by: ==) { return (call.family, call.series) }
      calls.removeSubrange(next...)
      isRepeating = false
    }
    let family = places[name] ?? families.count
    if family == families.count {
      places[name] = family
      families.append(Family(name: name, kind: kind, help: help))
      order = []
    }
    let sorted = labels.sorted { $0.key < $1.key }
    let written = sorted.map { "\($0.key)=\"\(Self.escaped($0.value, quotes: true))\"" }.joined(separator: ",")
    let series = families[family].places[written] ?? families[family].series.count
    if series == families[family].series.count {
      families[family].places[written] = series
      families[family].series.append(Series(labels: written, values: sorted.map(\.value)))
      order = []
    }
    calls.append(Call(name: name, labels: labels, family: family, series: series))
    return (family, series)
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
  public mutating func text() -> [UInt8] {
    if order.isEmpty { sort() }
    var out: [UInt8] = []
    var buckets: [[Double]: [[UInt8]]] = [:]
    for (place, series) in order {
      let family = families[place]
      guard family.series.contains(where: { $0.value != nil }) else { continue }
      out += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n".utf8
      out += "# TYPE \(family.name) \(family.kind.rawValue)\n".utf8
      for one in series {
        let labels = family.series[one].labels
        switch family.series[one].value {
        case nil: break
        case .number(let number): Self.write(family.name, "", labels, number, to: &out)
        case .histogram(let histogram):
          let bounds = buckets[histogram.bounds] ?? Self.bounds(histogram.bounds)
          buckets[histogram.bounds] = bounds
          Self.write(family.name, labels, histogram, bounds, to: &out)
        }
      }
    }
    return out
  }

  private mutating func sort() {
    order = families.indices.sorted { families[$0].name < families[$1].name }.map { place in
      let series = families[place].series
      return (place, series.indices.sorted { series[$0].values.lexicographicallyPrecedes(series[$1].values) })
    }
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
