import ArgumentParser
import Corefile

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
    guard let span = try? TimeSpan(argument), span > .zero else { return nil }
    duration = .nanoseconds(span.nanoseconds)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
