import Glibc

/// A search for the highest rate at which fewer than one query in a thousand stays unanswered.
struct Sweep {
  struct Step {
    let rate: Double
    let outcome: Outcome

    /// Answered, and sent: a rate that this program could not send says nothing about the server.
    var isGood: Bool {
      !outcome.isInterrupted && outcome.tally.completed > 0 && outcome.tally.unanswered < Sweep.tolerated
        && outcome.tally.keptUp
    }

    var verdict: String { isGood ? "good" : outcome.isInterrupted ? "cut short" : "too much" }
  }

  static let tolerated = 0.001
  private static let firstRate = 4000.0
  /// The search ends when the best rate and the next worse differ by less.
  private static let precision = 1.04
  private static let maxSteps = 24

  /// At least one, in the order of the rates. The one that ran when somebody ended the search is among them.
  private(set) var steps: [Step] = []

  var best: Step? { steps.last { $0.isGood } }
  var isInterrupted: Bool { steps.contains { $0.outcome.isInterrupted } }

  /// Doubles the rate until it is too much twice over, for the machine may have been busy with something else, then halves
  /// the interval between the best and the first that was not. Each step is an open loop of `plan` for `seconds`.
  init(_ plan: Plan, seconds: Double, process: ArrivalProcess, load: inout Load) throws(LoadError) {
    var (low, high) = (0.0, Double.infinity)
    var rate = Self.firstRate
    var isSecondTry = false
    for _ in 0..<Self.maxSteps where !isInterrupted && (low == 0 || high / low >= Self.precision) && rate >= 1 {
      var plan = plan
      plan.pace = .open(rate: rate, process: process)
      plan.limit = UInt64(seconds * 1e9)
      let step = Step(rate: rate, outcome: try load.run(plan, label: "\(Int(rate)) queries/s, "))
      isSecondTry = !step.isGood && !step.outcome.isInterrupted && high == .infinity && !isSecondTry
      load.console.say("[Status] \(Int(rate)) queries/s: \(step.verdict)\(isSecondTry ? ", once more" : "")")
      if isSecondTry { continue }
      steps.append(step)
      if step.isGood { low = max(low, rate) } else { high = min(high, rate) }
      rate = (high == .infinity ? low * 2 : (low + high) / 2).rounded()
    }
    steps.sort { $0.rate < $1.rate }
  }

  /// Rate against latency, a line a step.
  var table: [String] {
    let head = ["rate", "answers/s", "unanswered", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us", ""]
    let rows = steps.map { step in
      let tally = step.outcome.tally
      return [fixed(step.rate, 0), fixed(tally.rate, 0), "\(fixed(100 * tally.unanswered, 3))%"]
        + [50, 90, 99, 99.9, 100].map { microseconds(tally.percentile($0)) } + [step.isGood ? "" : step.verdict]
    }
    let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    return ([head] + rows).map { row in
      let cells = zip(row, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }
      let line = "  " + cells.joined(separator: "  ")
      return String(line.prefix(through: line.lastIndex { $0 != " " } ?? line.startIndex))
    }
  }
}
