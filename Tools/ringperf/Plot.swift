import Glibc

/// The sweep as a picture: rate to the right, latency percentiles upwards on a logarithmic scale.
struct Plot {
  private static let (width, height) = (800.0, 480.0)
  private static let (left, right, top, bottom) = (80.0, 110.0, 50.0, 60.0)
  private static let curves = [
    ("p50", 50.0, "#1b7837"), ("p90", 90, "#2166ac"), ("p99", 99, "#e08214"), ("p99.9", 99.9, "#b2182b"),
  ]

  private let title: String
  private let steps: [Sweep.Step]
  private let best: Double?
  private let maxRate: Double
  /// Decades of microseconds.
  private let decades: ClosedRange<Int>

  init(_ sweep: Sweep, title: String) {
    self.title = title
    steps = sweep.steps.filter { $0.outcome.tally.completed > 0 }
    best = sweep.best?.rate
    maxRate = max(1, steps.last?.rate ?? 1)
    let latencies = steps.flatMap { step in Self.curves.map { Double(step.outcome.tally.percentile($0.1)) / 1e3 } }
    let low = Int(log10(max(0.1, latencies.min() ?? 1)).rounded(.down))
    decades = low...max(low + 1, Int(log10(max(0.1, latencies.max() ?? 10)).rounded(.up)))
  }

  private func x(_ rate: Double) -> String {
    fixed(Self.left + (Self.width - Self.left - Self.right) * rate / maxRate, 1)
  }

  private func y(_ microseconds: Double) -> String {
    let share = (log10(microseconds) - Double(decades.lowerBound)) / Double(decades.count - 1)
    return fixed(Self.height - Self.bottom - (Self.height - Self.top - Self.bottom) * share, 1)
  }

  var svg: String {
    let (end, floor) = (fixed(Self.width - Self.right, 1), fixed(Self.height - Self.bottom, 1))
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" "
        + "font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      text(title, Self.width / 2, 25, anchor: "middle", size: 15),
    ]
    for decade in decades {
      let value = pow(10, Double(decade))
      parts.append("<path d=\"M\(fixed(Self.left, 1)) \(y(value))H\(end)\" stroke=\"#ddd\"/>")
      let at = Double(y(value)) ?? 0
      parts.append(text(label(value), Self.left - 8, at + 4, anchor: "end"))
    }
    for tick in 0...5 {
      let rate = maxRate * Double(tick) / 5
      parts.append("<path d=\"M\(x(rate)) \(floor)v5\" stroke=\"#444\"/>")
      parts.append(text("\(Int(rate))", Double(x(rate)) ?? 0, Self.height - Self.bottom + 20, anchor: "middle"))
    }
    parts.append(text("queries per second asked for", Self.width / 2, Self.height - 15, anchor: "middle"))
    if let best {
      parts.append("<path d=\"M\(x(best)) \(fixed(Self.top, 1))V\(floor)\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>")
      parts.append(text("best: \(Int(best))", (Double(x(best)) ?? 0) - 5, Self.top + 12, anchor: "end"))
    }
    for (number, (name, percentile, colour)) in Self.curves.enumerated() {
      let points = steps.map { step in
        "\(x(step.rate)),\(y(max(0.1, Double(step.outcome.tally.percentile(percentile)) / 1e3)))"
      }
      parts.append(
        "<polyline points=\"\(points.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"/>")
      let at = Self.top + 20 * Double(number)
      parts.append(text(name, Self.width - Self.right + 15, at, anchor: "start", colour: colour))
    }
    return (parts + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private func label(_ microseconds: Double) -> String {
    switch microseconds {
    case 1_000_000...: "\(Int(microseconds / 1_000_000)) s"
    case 1000...: "\(Int(microseconds / 1000)) ms"
    case 1...: "\(Int(microseconds)) \u{B5}s"
    default: "\(Int(microseconds * 1000)) ns"
    }
  }

  private func text(
    _ text: String, _ x: Double, _ y: Double, anchor: String, size: Int = 12, colour: String = "#222"
  ) -> String {
    let escaped = text.split(separator: "&", omittingEmptySubsequences: false).joined(separator: "&amp;")
      .split(separator: "<", omittingEmptySubsequences: false).joined(separator: "&lt;")
    return "<text x=\"\(fixed(x, 1))\" y=\"\(fixed(y, 1))\" text-anchor=\"\(anchor)\" font-size=\"\(size)\" "
      + "fill=\"\(colour)\">\(escaped)</text>"
  }
}
