/// How often a loss may be mended at once: twenty times in a row, then once a second. So two programs that undo each
/// other's work cost little, and a rule that somebody deletes now and then is back at once.
package struct RepairBudget {
  package static let burst = 20
  package static let pause = Duration.seconds(1)

  /// The end of what repairs so far have used, one `pause` each.
  private var used: ContinuousClock.Instant

  package init(now: ContinuousClock.Instant) { used = now }

  /// From when on a repair may start.
  package var next: ContinuousClock.Instant { used - Self.pause * (Self.burst - 1) }

  package mutating func spend(now: ContinuousClock.Instant) { used = max(used, now) + Self.pause }
}
