/// Floating-point numbers as Go prints them, so that what dashboards and scripts compare as text stays the same.
///
/// Both forms have the fewest digits that read back as the same number, as Swift's `description` has.
enum GoFloat {
  /// As `strconv.FormatFloat(value, 'g', -1, 64)`, which client_golang uses: `0.00025`, `1e-05`, `4.237312e+07`.
  /// Exponents below -4 and above 5 are written out.
  static func general(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
    let sign = value.sign == .minus ? "-" : ""
    let (digits, point) = decimal(value.magnitude)
    let exponent = point - 1
    if (-4..<6).contains(exponent) || value == 0 { return sign + positional(digits, point) }
    let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
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
    let parts = value.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    var point = mantissa[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    var digits = mantissa.joined()[...]
    while digits.count > 1, digits.first == "0" {
      digits.removeFirst()
      point -= 1
    }
    while digits.count > 1, digits.last == "0" { digits.removeLast() }
    return digits == "0" ? ("0", 1) : (String(digits), point)
  }

  private static func positional(_ digits: String, _ point: Int) -> String {
    if point <= 0 { return "0." + String(repeating: "0", count: -point) + digits }
    if point >= digits.count { return digits + String(repeating: "0", count: point - digits.count) }
    return "\(digits.prefix(point)).\(digits.dropFirst(point))"
  }
}
