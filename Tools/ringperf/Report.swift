import Foundation

/// The closing report: dnsperf's lines under dnsperf's labels, then what dnsperf does not say.
struct Report {
  let plan: Plan
  let outcome: Outcome

  var lines: [String] {
    let tally = outcome.tally
    var lines = [
      "", "Statistics:", "",
      "  Queries sent:         \(tally.sent)",
      "  Queries completed:    \(tally.completed) (\(percent(tally.completed, of: tally.sent)))",
      "  Queries lost:         \(tally.lost) (\(percent(tally.lost, of: tally.sent)))",
    ]
    if tally.interrupted > 0 {
      lines.append("  Queries interrupted:  \(tally.interrupted) (\(percent(tally.interrupted, of: tally.sent)))")
    }
    let codes = tally.rcodes.enumerated().filter { $1 > 0 }.map {
      "\(rcodeName($0)) \($1) (\(percent($1, of: tally.completed)))"
    }
    let request = tally.sent > 0 ? tally.requestBytes / tally.sent : 0
    let response = tally.completed > 0 ? tally.responseBytes / tally.completed : 0
    lines += [
      "",
      "  Response codes:       \(codes.joined(separator: ", "))",
      "  Average packet size:  request \(request), response \(response)",
      "  Run time (s):         \(fixed(tally.seconds, 6))",
      "  Queries per second:   \(fixed(tally.rate, 6))",
      "",
    ]
    lines += self.lines(tally.latencies) + ["", "  Latency (us):         \(percentiles)"]
    if case .open(let rate, _) = plan.pace {
      let sent = tally.seconds > 0 ? Double(tally.sent) / tally.seconds : 0
      lines.append("  Rate asked and sent:  \(fixed(rate, 1)), \(fixed(sent, 1))")
    }
    lines.append("  CPU per query (us):   \(fixed(cpuPerQuery, 3)) (this program's own)")
    if plan.expectations != nil {
      lines += ["", "  Answers checked:      \(tally.checked)", "  Answers wrong:        \(tally.wrongAnswers)"]
      for kind in Wrongness.allCases where tally.wrong[kind.rawValue] > 0 {
        lines.append("    \(kind.label): \(tally.wrong[kind.rawValue])")
      }
    }
    if tally.connections.count > 0 {
      lines += ["", "Connection Statistics:", "", "  Reconnections:        \(tally.reconnections)", ""]
      lines += self.lines(tally.connections)
    }
    return lines + [""]
  }

  private func lines(_ latencies: Durations) -> [String] {
    let (mean, deviation) = (seconds(UInt64(latencies.mean)), seconds(UInt64(latencies.deviation)))
    let average = "  Average Latency (s):  \(mean) (min \(seconds(latencies.min)), max \(seconds(latencies.max)))"
    return [average] + (latencies.count > 1 ? ["  Latency StdDev (s):   \(deviation)"] : [])
  }

  /// Microseconds of this program's CPU per query sent.
  var cpuPerQuery: Double { outcome.tally.sent > 0 ? outcome.cpu * 1e6 / Double(outcome.tally.sent) : 0 }

  private var percentiles: String {
    let named = [("p50", 50.0), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100)]
    return named.map { "\($0) \(microseconds(outcome.tally.percentile($1)))" }.joined(separator: ", ")
  }

  /// What the reader should know besides the figures.
  var warnings: [String] {
    let tally = outcome.tally
    let unknown = tally.wrong[Wrongness.unknownID.rawValue]
    var warnings: [String] = []
    if outcome.errors > 0 {
      let code = outcome.lastError
      warnings.append("[Warning] \(outcome.errors) errors of sockets, the last: \(reason(code))")
    }
    if tally.late > 0 { warnings.append("[Warning] \(tally.late) answers came after their timeout") }
    if unknown > 0, plan.expectations == nil {
      warnings.append("[Warning] \(unknown) answers with an id that no query had")
    }
    if case .open = plan.pace, !tally.keptUp {
      warnings.append("[Warning] queries left late: this program had no more CPU, sockets or ids (see -T, -c)")
    }
    if tally.completed == 0, tally.sent > 0 {
      warnings.append(
        "Error: no answer at all from \(plan.server.text) over \(plan.transport.rawValue.uppercased()); expected a DNS server there"
      )
    } else if tally.sent == 0, !outcome.isInterrupted {
      warnings.append("Error: nothing was sent to \(plan.server.text): no connection in time")
    }
    return warnings
  }

  /// 0; 1: no answers, or wrong ones; 130: ended by Ctrl-C.
  var exitCode: Int32 {
    if outcome.isInterrupted { return 130 }
    return outcome.tally.completed == 0 || plan.expectations != nil && outcome.tally.wrongAnswers > 0 ? 1 : 0
  }

  /// The latencies in HdrHistogram's percentile form, in microseconds.
  func writePercentiles(to path: String) throws(LoadError) {
    var text = ""
    outcome.tally.latency.outputPercentileDistribution(to: &text, outputValueUnitScalingRatio: 1000)
    try write(text, to: path, option: "--hgrm")
  }
}

/// Writes `text` to a file, which `option` named.
func write(_ text: String, to path: String, option: String) throws(LoadError) {
  do {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
  } catch {
    throw LoadError("\(option) \(path): \(error.localizedDescription); expected a file that can be written")
  }
}
