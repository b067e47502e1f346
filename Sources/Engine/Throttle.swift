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
  /// Nanoseconds.
  private var changedAt: UInt64 = 0

  package static let most = 8
  /// Nanoseconds for a limit to show; and between two looks whether clients may send more.
  private static let settling: UInt64 = 10_000_000
  package static let relief: UInt64 = 50_000_000
  private static let least: UInt32 = 1 << 22

  package init() {}

  package var isEmpty: Bool { limits.isEmpty }

  /// The last change has had time to show.
  package func isSettled(_ now: UInt64) -> Bool { now &- changedAt >= Self.settling }

  package func limits(_ host: [UInt8]) -> Bool { limits.contains { $0.host == host } }

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
    guard !limits.isEmpty, now &- changedAt >= Self.relief else { return false }
    changedAt = now
    limits = limits.compactMap { limit in
      let (more, isAll) = limit.passing.addingReportingOverflow(limit.passing / 8)
      return isAll ? nil : ClientLimit(host: limit.host, passing: more)
    }
    return true
  }
}
