import Glibc

/// Latency against rate: a line for each server; the latency's axis is logarithmic. A rate that a server did not hold
/// (less than 99 % answered) has no point.
struct LineChart {
  let title: String
  let curve: LatencyCurve
  let value: (LatencyCurve.Point) -> Double

  var svg: String {
    var drawing = Drawing(width: 860, height: 380)
    let (left, right, top, bottom) = (90.0, 710.0, 44.0, 330.0)
    let held = curve.points.filter { $0.answered >= 0.99 && value($0) > 0 }
    let lowest = floor(log10(held.map(value).min() ?? 1))
    let highest = max(lowest + 1, ceil(log10(held.map(value).max() ?? 10)))
    let largest = curve.points.map(\.rate).max() ?? 1
    let x = { (rate: Double) in left + (right - left) * rate / largest }
    let y = { (latency: Double) in bottom - (bottom - top) * (log10(latency) - lowest) / (highest - lowest) }

    drawing.text(title, 12, 24, isBold: true)
    for power in Int(lowest)...Int(highest) {
      let latency = pow(10, Double(power))
      drawing.line([(left, y(latency)), (right, y(latency))], "#e9ecef")
      drawing.text("\(fixed(latency, 0)) µs", left - 8, y(latency) + 4, anchor: "end")
    }
    for share in curve.shares {
      let rate = share * curve.floorRate
      drawing.line([(x(rate), top), (x(rate), bottom)], "#f1f3f5")
      drawing.text("\(fixed(rate / 1000, 1))k/s", x(rate), bottom + 18, anchor: "middle")
      drawing.text(percent(share), x(rate), bottom + 34, anchor: "middle", color: "#868e96")
    }
    // Names stand at the right in the order of the lines' ends, none over another.
    var ends: [(server: String, y: Double)] = []
    for server in servers {
      let points = held.filter { $0.server == server }.map { (x: x($0.rate), y: y(value($0))) }
      guard let last = points.last else { continue }
      drawing.line(points, Palette.color(server), width: server == "ringlet" ? 3 : 1.5)
      for point in points { drawing.dot(point.x, point.y, Palette.color(server)) }
      ends.append((server, last.y))
    }
    var next = top
    for end in ends.sorted(by: { $0.y < $1.y }) {
      let at = max(end.y, next)
      drawing.text(end.server, right + 14, at + 4, color: Palette.color(end.server), isBold: end.server == "ringlet")
      next = at + 16
    }
    return drawing.svg
  }

  private var servers: [String] {
    curve.points.filter { $0.share == curve.points[0].share }.map(\.server)
  }
}
