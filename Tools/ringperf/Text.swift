import Foundation

/// Response codes as dnsperf names them (RFC 6895 §2.3); those without a name by number.
func rcodeName(_ code: Int) -> String {
  let names = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
  ]
  return code < names.count ? names[code] : "RCODE\(code)"
}

/// Nanoseconds as seconds, six places, as dnsperf writes times.
func seconds(_ nanoseconds: UInt64) -> String { fixed(Double(nanoseconds) / 1e9, 6) }

/// Nanoseconds as microseconds, one place.
func microseconds(_ nanoseconds: UInt64) -> String { fixed(Double(nanoseconds) / 1e3, 1) }

/// `value` with `places` decimals.
func fixed(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }

/// `part` of `whole` in percent, two decimals, as dnsperf writes shares.
func percent(_ part: Int, of whole: Int) -> String {
  "\(fixed(whole > 0 ? 100 * Double(part) / Double(whole) : 0, 2))%"
}
