/// Floating-point numbers as Go prints them, so that what dashboards and scripts compare as text stays the same.
///
/// Both forms have the fewest digits that read back as the same number, as Swift's `description` has.
enum GoFloat {
  /// As `strconv.FormatFloat(value, 'g', -1, 64)`, which client_golang uses: `0.00025`, `1e-05`, `4.237312e+07`.
  /// Exponents below -4 and above 5 are written out.
  static func general(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
    // Most are counts, of few digits.
    if let whole = Int32(exactly: value), whole.magnitude < 1_000_000, whole != 0 { return String(whole) }
    let sign = value.sign == .minus ? "-" : ""
    let (digits, point) = decimal(value.magnitude)
    let exponent = point - 1
    if (-4..<6).contains(exponent) || value == 0 { return sign + positional(digits, point) }
    let fraction = digits.utf8.count > 1 ? "." + digits.dropFirst() : ""
    let power = (exponent.magnitude < 10 ? "0" : "") + "\(exponent.magnitude)"
    return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(power)"
  }

  /// As `strconv.FormatFloat(value, 'f', -1, 64)`: never an exponent. `value` is finite and not negative.
  static func plain(_ value: Double) -> String {
    let (digits, point) = decimal(value)
    return positional(digits, point)
  }

  /// The significant digits, and where the decimal point stands among them: 0.00025 is ("25", -3). Zero is ("0", 1).
  private static func decimal(_ value: Double) -> (digits: String, point: Int) {
    let text = Array(value.description.utf8)
    let mantissa = text.prefix { $0 != UInt8(ascii: "e") }
    let exponent = Int(String(decoding: text.dropFirst(mantissa.count + 1), as: UTF8.self)) ?? 0
    var digits = mantissa[...]
    var point = mantissa.count + exponent
    if let dot = mantissa.firstIndex(of: UInt8(ascii: ".")) {
      point = dot + exponent
      digits.remove(at: dot)
    }
    while digits.count > 1, digits.first == UInt8(ascii: "0") {
      digits.removeFirst()
      point -= 1
    }
    while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
    return digits.elementsEqual([UInt8(ascii: "0")]) ? ("0", 1) : (String(decoding: digits, as: UTF8.self), point)
  }

  private static func positional(_ digits: String, _ point: Int) -> String {
    if point <= 0 { return "0." + String(repeating: "0", count: -point) + digits }
    let count = digits.utf8.count
    if point >= count { return digits + String(repeating: "0", count: point - count) }
    return "\(digits.prefix(point)).\(digits.dropFirst(point))"
  }
}
