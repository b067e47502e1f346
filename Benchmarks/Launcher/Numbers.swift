/// A number with so many digits after the point, its thousands set apart: 97,000 or 1.05. A dash for none.
func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e15 else { return "–" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = Int((abs(value) * scale).rounded())
  var text = "\(scaled % Int(scale))"
  text = String(repeating: "0", count: max(0, digits - text.count)) + text
  var whole = ""
  for (index, digit) in "\(scaled / Int(scale))".reversed().enumerated() {
    if index > 0, index % 3 == 0 { whole = ",\(whole)" }
    whole = "\(digit)\(whole)"
  }
  return (value < 0 && scaled > 0 ? "-" : "") + whole + (digits > 0 ? ".\(text)" : "")
}

/// The number that `fixed` writes.
func rounded(_ value: Double, _ digits: Int) -> Double {
  let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
  return (value * scale).rounded() / scale
}

/// A part of one, in percent.
func percent(_ part: Double, _ digits: Int = 0) -> String { "\(fixed(part * 100, digits)) %" }

func mebibytes(_ kibibytes: Int) -> String { fixed(Double(kibibytes) / 1024, 1) }
