import ArgumentParser

/// The value of `-syncinterval`: how often the interface and the firewall rules are looked at.
///
/// node-cache reads a Go duration and multiplies it by a second, so that only `60ns` works and means 60 seconds.
/// Here a bare number and a number of `ns` are seconds; any other duration is what it says (`90s`, `1m30s`, `1.5h`).
struct SyncInterval: ExpressibleByArgument {
  /// Above zero.
  let duration: Duration

  var defaultValueDescription: String { "\(duration.components.seconds)" }

  init(seconds: Int64) { duration = .seconds(seconds) }

  init?(argument: String) {
    let digits = argument.hasSuffix("ns") ? argument.dropLast(2) : argument[...]
    if digits.utf8.allSatisfy(Self.isDigit) {
      guard let seconds = Int64(digits), seconds > 0 else { return nil }
      duration = .seconds(seconds)
      return
    }
    var rest = argument.utf8[...]
    var total = 0.0
    while !rest.isEmpty {
      let number = rest.prefix { Self.isDigit($0) || $0 == UInt8(ascii: ".") }
      rest = rest[number.endIndex...]
      let unit = rest.prefix { !Self.isDigit($0) && $0 != UInt8(ascii: ".") }
      rest = rest[unit.endIndex...]
      guard let number = Double(Substring(number)), let unit = Self.seconds(in: Substring(unit)) else { return nil }
      total += number * unit
    }
    // Go's durations are nanoseconds in an Int64: at most 292 years.
    guard total > 0, total < 9.2e9 else { return nil }
    duration = .seconds(total)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func seconds(in unit: Substring) -> Double? {
    switch unit {
    case "h": 3600
    case "m": 60
    case "s": 1
    case "ms": 1e-3
    case "us", "µs", "μs": 1e-6
    case "ns": 1e-9
    default: nil
    }
  }
}
