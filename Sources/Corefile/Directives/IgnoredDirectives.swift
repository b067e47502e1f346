/// `pprof [ADDRESS] { block [RATE] }`: read so that files which have it load; it profiles a Go runtime.
public struct PprofDirective: Hashable, Sendable {
  public var location: SourceLocation
  public var address = ListenAddress(host: .name("localhost"), port: 6053)
}

extension PprofDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...1, usage: "pprof [ADDRESS]")
    if let token = line.arguments.first { address = try line.listenAddress(token) }
    for option in statement.body {
      guard option.name.text == "block" else { throw option.unknownProperty() }
      try option.requireArguments(0...1, usage: "block [RATE]")
      if let rate = option.arguments.first { _ = try option.number(rate, in: 1...Int.max, "block rate") }
    }
  }
}

/// `trace [zipkin|datadog] [ENDPOINT] { ... }`: read so that files which have it load; no traces are sent.
public struct TraceDirective: Hashable, Sendable {
  public var location: SourceLocation
}

extension TraceDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...2, usage: "trace [zipkin|datadog] [ENDPOINT]")
    if line.arguments.count == 2, !["zipkin", "datadog"].contains(line.words[1].text.lowercased()) {
      throw line.failure("tracing endpoint type '\(line.words[1].text)' is not supported", at: line.words[1])
    }
    for option in statement.body {
      let usage = "\(option.name.text) VALUE"
      switch option.name.text {
      case "every", "zipkin_max_backlog_size", "zipkin_max_batch_size":
        try option.requireArguments(1...1, usage: usage)
        _ = try option.number(option.words[1], in: 0...Int.max, option.name.text)
      case "zipkin_max_batch_interval":
        try option.requireArguments(1...1, usage: usage)
        _ = try option.timeSpan(option.words[1])
      case "service": try option.requireArguments(1...1, usage: usage)
      case "client_server", "datadog_analytics_rate": try option.requireArguments(0...1, usage: usage)
      default: throw option.unknownProperty()
      }
    }
  }
}
