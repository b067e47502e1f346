/// A client of whose datagrams the kernel drops a part.
public struct ClientLimit: Equatable, Sendable {
  /// Its address, 4 or 16 octets.
  public let host: [UInt8]
  /// Of 2^32 datagrams so many come through.
  public var passing: UInt32

  public init(host: [UInt8], passing: UInt32) {
    self.host = host
    self.passing = passing
  }
}

/// Which clients ask faster than there is time to answer, and how much of what they send is let through: half as much
/// whenever there still is too much of it, and little by little more when there is not (as TCP does; Chiu and Jain 1989).
///
/// What the kernel drops costs the time of who sends it. What it hands over costs ours, even if it is only thrown away
/// (`Backlog`), and fills the socket's queue, in which all wait.
package struct Throttle {
  /// Those of the longest queues; there is room for as many in a socket's filter (CSOCKET_LIMITS).
  package private(set) var limits: [ClientLimit] = []
  private var changedAt: UInt64 = 0
  /// Since when too much waits, without a pause; nil: it does not.
  private var crowdedSince: UInt64?

  static let most = 8
  /// Nanoseconds that too much must have waited for a client to be limited, if the kernel's queue has room as long: a burst
  /// is answered.
  private static let patience: UInt64 = 50_000_000
  /// For a limit to show.
  private static let settling: UInt64 = 10_000_000
  /// Between two looks whether a client may send more.
  package static let relief: UInt64 = 50_000_000
  private static let least: UInt32 = 1 << 22

  package init() {}

  package var isEmpty: Bool { limits.isEmpty }
  /// Nobody is limited, and too much does not wait, as far as it was told.
  package var isIdle: Bool { limits.isEmpty && crowdedSince == nil }

  /// Whether the time has come to limit somebody. Too much waits; `isUrgent`: in the kernel too.
  package mutating func isDue(_ now: UInt64, isUrgent: Bool) -> Bool {
    let since = crowdedSince ?? now
    crowdedSince = since
    guard limits.isEmpty else { return now &- changedAt >= Self.settling }
    return isUrgent || now &- since >= Self.patience
  }

  /// Limits a client, or limits it more. Beyond `most` it takes the place of the one that may send most.
  package mutating func limit(_ host: [UInt8], at now: UInt64) {
    changedAt = now
    if let known = limits.firstIndex(where: { $0.host == host }) {
      limits[known].passing = max(limits[known].passing / 2, Self.least)
    } else {
      if limits.count == Self.most {
        limits.remove(at: limits.indices.max { limits[$0].passing < limits[$1].passing }!)
      }
      limits.append(ClientLimit(host: host, passing: 1 << 31))
    }
  }

  package mutating func inherit(_ limit: ClientLimit, at now: UInt64) {
    changedAt = now
    limits.removeAll { $0.host == limit.host }
    if limits.count < Self.most { limits.append(limit) }
  }

  /// There is time for all that waits. Returns whether limits have changed: clients may send more.
  package mutating func relax(_ now: UInt64) -> Bool {
    crowdedSince = nil
    guard !limits.isEmpty, now &- changedAt >= Self.relief else { return false }
    changedAt = now
    limits = limits.compactMap { limit in
      let (more, isAll) = limit.passing.addingReportingOverflow(limit.passing / 8)
      return isAll ? nil : ClientLimit(host: limit.host, passing: more)
    }
    return true
  }
}
