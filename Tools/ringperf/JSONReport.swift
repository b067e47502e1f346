import Foundation

/// The report for machines. Its keys are the properties' names in snake case.
struct JSONReport: Encodable {
  struct Latency: Encodable {
    let min, mean, stddev, p50, p90, p99, p999, max: Double

    init(_ tally: Tally) {
      min = Double(tally.latencies.min) / 1e3
      mean = tally.latencies.mean / 1e3
      stddev = tally.latencies.deviation / 1e3
      p50 = Double(tally.percentile(50)) / 1e3
      p90 = Double(tally.percentile(90)) / 1e3
      p99 = Double(tally.percentile(99)) / 1e3
      p999 = Double(tally.percentile(99.9)) / 1e3
      max = Double(tally.latencies.max) / 1e3
    }
  }

  struct Verification: Encodable {
    let checked, wrong: Int
    let byKind: [String: Int]
  }

  struct Step: Encodable {
    let rate, qps, unanswered, p50, p90, p99, p999, max: Double
    let verdict: String

    init(_ step: Sweep.Step) {
      let latency = Latency(step.outcome.tally)
      rate = step.rate
      qps = step.outcome.tally.rate
      unanswered = step.outcome.tally.unanswered
      verdict = step.verdict
      (p50, p90, p99, p999, max) = (latency.p50, latency.p90, latency.p99, latency.p999, latency.max)
    }
  }

  let server: String
  let port: Int
  let transport, mode: String
  let clients, threads: Int
  let seconds: Double
  let sent, completed, lost: Int
  let qps: Double
  var rateAsked: Double?
  let rcodes: [String: Int]
  let requestBytesMean, responseBytesMean: Double
  /// Over TCP.
  var reconnections: Int?
  let latencyUs: Latency
  var verify: Verification?
  var sweep: [Step]?
  var bestRate: Double?
  let cpuUsPerQuery: Double
  let interrupted: Bool

  init(_ report: Report, sweep: Sweep?) {
    let (plan, tally) = (report.plan, report.outcome.tally)
    server = plan.server.address
    port = plan.server.port
    transport = plan.transport.rawValue
    if case .open(let rate, _) = plan.pace {
      mode = "open"
      rateAsked = rate
    } else {
      mode = "closed"
    }
    clients = plan.sockets
    threads = plan.threads
    seconds = tally.seconds
    (sent, completed, lost) = (tally.sent, tally.completed, tally.lost)
    qps = tally.rate
    rcodes = Dictionary(uniqueKeysWithValues: tally.rcodes.enumerated().filter { $1 > 0 }.map { (rcodeName($0), $1) })
    requestBytesMean = tally.sent > 0 ? Double(tally.requestBytes) / Double(tally.sent) : 0
    responseBytesMean = tally.completed > 0 ? Double(tally.responseBytes) / Double(tally.completed) : 0
    if plan.transport == .tcp { reconnections = tally.reconnections }
    latencyUs = Latency(tally)
    if plan.expectations != nil {
      let kinds = Wrongness.allCases.map { ($0.key, tally.wrong[$0.rawValue]) }
      verify = Verification(
        checked: tally.checked, wrong: tally.wrongAnswers, byKind: Dictionary(uniqueKeysWithValues: kinds))
    }
    if let sweep {
      self.sweep = sweep.steps.map(Step.init)
      bestRate = sweep.best?.rate ?? 0
    }
    cpuUsPerQuery = report.cpuPerQuery
    interrupted = report.outcome.isInterrupted
  }

  var text: String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    // Numbers, strings and booleans, none of them infinite: encoding cannot fail.
    return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
  }
}
