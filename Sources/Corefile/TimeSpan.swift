/// A length of time as Go writes it: `300ms`, `1.5h`, `1h30m`. Never negative; at most 292 years.
public struct TimeSpan: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var nanoseconds: Int64

  /// Rounded down.
  public var milliseconds: Int64 { nanoseconds / 1_000_000 }

  public static let zero = TimeSpan(nanoseconds: 0)

  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static func milliseconds(_ count: Int32) -> TimeSpan { TimeSpan(nanoseconds: Int64(count) * 1_000_000) }
  public static func seconds(_ count: Int32) -> TimeSpan { TimeSpan(nanoseconds: Int64(count) * 1_000_000_000) }

  public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.nanoseconds < right.nanoseconds }

  /// In the largest unit that divides it: `90s`, `250ms`.
  public var description: String {
    if nanoseconds == 0 { return "0s" }
    let unit = TimeSpan.units.first { nanoseconds % $0.nanoseconds == 0 } ?? ("ns", 1)
    return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
  }

  private static let units: [(name: String, nanoseconds: Int64)] = [
    ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1),
  ]
}

extension TimeSpan {
  /// Reads Go's form: decimal numbers, each with a unit (`ns us µs ms s m h`), a `+` before them or not; `0` alone.
  ///
  /// Throws the reason: no unit, an unknown one, more than Int64 holds, a negative span.
  public init(_ text: String) throws(Malformed) {
    var rest = Substring(text).utf8
    if rest.first == UInt8(ascii: "-") { throw Malformed("\"\(text)\" is negative") }
    if rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    if rest.elementsEqual("0".utf8) {
      self = .zero
      return
    }
    if rest.isEmpty { throw Malformed("invalid duration \"\(text)\"") }
    var total: Int64 = 0
    while !rest.isEmpty {
      let number = try Decimal(reading: &rest, of: text)
      let name = rest.prefix { $0 != UInt8(ascii: ".") && !Decimal.isDigit($0) }
      rest = rest[name.endIndex...]
      if name.isEmpty { throw Malformed("missing unit in duration \"\(text)\"") }
      guard let unit = TimeSpan.unit(String(Substring(name))) else {
        throw Malformed("unknown unit \"\(Substring(name))\" in duration \"\(text)\"")
      }
      guard let part = number.times(unit), !total.addingReportingOverflow(part).overflow else {
        throw Malformed("duration \"\(text)\" is too long")
      }
      total += part
    }
    self.init(nanoseconds: total)
  }

  /// Why a text is not a length of time.
  public struct Malformed: Error, Hashable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
  }

  private static func unit(_ name: String) -> Int64? {
    // Both micro signs: U+00B5 and the Greek letter U+03BC.
    if ["\u{B5}s", "\u{3BC}s"].contains(name) { return 1000 }
    return units.first { $0.name == name }?.nanoseconds
  }

  /// A decimal number: digits, perhaps a point and more digits.
  private struct Decimal {
    private var whole: Int64 = 0
    private var fraction: Int64 = 0
    /// A power of ten; digits after the 18th are dropped.
    private var scale: Int64 = 1

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    init(reading rest: inout Substring.UTF8View, of text: String) throws(Malformed) {
      let integer = rest.prefix { Decimal.isDigit($0) }
      rest = rest[integer.endIndex...]
      var digits = integer.count
      if !integer.isEmpty {
        guard let value = Int64(Substring(integer)) else { throw Malformed("duration \"\(text)\" is too long") }
        whole = value
      }
      if rest.first == UInt8(ascii: ".") {
        let decimals = rest.dropFirst().prefix { Decimal.isDigit($0) }
        rest = rest[decimals.endIndex...]
        digits += decimals.count
        for digit in decimals.prefix(18) {
          fraction = fraction * 10 + Int64(digit - UInt8(ascii: "0"))
          scale *= 10
        }
      }
      if digits == 0 { throw Malformed("invalid duration \"\(text)\"") }
    }

    /// Nil on overflow. Rounds down to a nanosecond.
    func times(_ unit: Int64) -> Int64? {
      let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
      if overflow { return nil }
      // fraction < scale, so the quotient is below `unit`.
      let wide = fraction.multipliedFullWidth(by: unit)
      let part = scale.dividingFullWidth(wide).quotient
      let (sum, sumOverflow) = product.addingReportingOverflow(part)
      return sumOverflow ? nil : sum
    }
  }
}
