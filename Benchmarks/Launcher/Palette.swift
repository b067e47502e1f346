/// One colour for each server, in all plots: Ringlet's stands out, the floors are grey.
enum Palette {
  private static let colors = [
    "ringlet": "#d9480f", "ringlet-epoll": "#f08c00", "floor-uring": "#868e96", "floor-recvmmsg": "#adb5bd",
    "floor-relay": "#ced4da", "unbound": "#1971c2",
    "pdns-recursor": "#2f9e44", "dnsdist": "#099268", "knot-resolver": "#6741d9", "dnsmasq": "#c2255c",
    "node-cache": "#e8a117",
  ]

  static func color(_ server: String) -> String { colors[server] ?? "#212529" }
}

/// A picture's parts and its frame, in SVG.
struct Drawing {
  let width: Double
  let height: Double
  private var parts: [String] = []

  init(width: Double, height: Double) {
    self.width = width
    self.height = height
  }

  mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ color: String) {
    parts.append(
      "<rect x=\"\(round(x))\" y=\"\(round(y))\" width=\"\(round(width))\" height=\"\(round(height))\""
        + " fill=\"\(color)\"/>"
    )
  }

  /// A triangle that points right, on an upright side of the given height.
  mutating func point(_ x: Double, _ y: Double, _ height: Double, _ color: String) {
    let corners = [(x, y), (x + 6, y + height / 2), (x, y + height)]
    let list = corners.map { "\(round($0.0)),\(round($0.1))" }.joined(separator: " ")
    parts.append("<polygon points=\"\(list)\" fill=\"\(color)\"/>")
  }

  mutating func line(_ points: [(x: Double, y: Double)], _ color: String, width: Double = 1) {
    let list = points.map { "\(round($0.x)),\(round($0.y))" }.joined(separator: " ")
    parts.append("<polyline points=\"\(list)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"\(width)\"/>")
  }

  mutating func dot(_ x: Double, _ y: Double, _ color: String) {
    parts.append("<circle cx=\"\(round(x))\" cy=\"\(round(y))\" r=\"3\" fill=\"\(color)\"/>")
  }

  /// `anchor` is start, middle or end: which part of the text is at `x`.
  mutating func text(
    _ text: String, _ x: Double, _ y: Double, anchor: String = "start", color: String = "#343a40", isBold: Bool = false
  ) {
    parts.append(
      "<text x=\"\(round(x))\" y=\"\(round(y))\" text-anchor=\"\(anchor)\" fill=\"\(color)\""
        + (isBold ? " font-weight=\"bold\"" : "") + ">\(escaped(text))</text>")
  }

  var svg: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(round(width)) \(round(height))" width="\(round(width))" \
    height="\(round(height))" font-family="system-ui, sans-serif" font-size="12">
    <rect width="100%" height="100%" fill="#ffffff"/>
    \(parts.joined(separator: "\n"))
    </svg>
    """
  }

  /// Two digits after the point are enough for a picture.
  private func round(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
