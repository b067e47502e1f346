/// When the lookups of one thread leave.
struct Schedule {
  /// Open loop.
  private var arrivals: Arrivals?
  /// Closed loop: queries of this thread that may be out, and nanoseconds between two of them.
  private let outstanding: Int
  private let gap: Double
  private let start: UInt64

  init(_ plan: Plan, thread: Int, start: UInt64, random: inout RandomSource) {
    self.start = start
    switch plan.pace {
    case .closed(let outstanding, let limit):
      // At least one lookup, or nothing would ever leave.
      self.outstanding = max(plan.share(outstanding, of: thread), plan.catalogue.typesPerLookup)
      gap = limit.map { 1e9 * Double(plan.threads) / $0 } ?? 0
    case .open(let rate, let process):
      outstanding = Int.max
      gap = 0
      let mean = 1e9 * Double(plan.threads * plan.catalogue.typesPerLookup) / rate
      let offset = mean * Double(thread) / Double(plan.threads)
      arrivals = Arrivals(process, gap: mean, start: offset, random: RandomSource(seed: random.next()))
    }
  }

  /// The instant from which the next lookup's latency counts, if it is to leave now. `step`: its queries.
  @inline(__always) func due(_ now: UInt64, _ deadline: UInt64, sent: Int, out: Int, _ step: Int) -> UInt64? {
    if let arrivals {
      let instant = start + arrivals.next
      return instant <= min(now, deadline) ? instant : nil
    }
    guard out &+ step <= outstanding, now < deadline, gap == 0 || allowed(sent) <= now else { return nil }
    return now
  }

  @inline(__always) mutating func advance() { arrivals?.advance() }

  /// Whether nothing is to leave any more.
  func isOver(_ now: UInt64, _ deadline: UInt64) -> Bool {
    if let arrivals { return start + arrivals.next > deadline }
    return now >= deadline
  }

  /// When the next lookup may leave without an answer before; nil: not before one.
  func next(sent: Int, out: Int, _ step: Int) -> UInt64? {
    if let arrivals { return start + arrivals.next }
    return out + step <= outstanding ? allowed(sent) : nil
  }

  private func allowed(_ sent: Int) -> UInt64 { start + UInt64(Double(sent) * gap) }
}
