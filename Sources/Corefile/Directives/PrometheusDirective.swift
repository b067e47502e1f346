/// `prometheus [ADDRESS]`: the `/metrics` endpoint. Blocks that name one address share it.
public struct PrometheusDirective: Hashable, Sendable {
  public var location: SourceLocation
  public var address = ListenAddress(host: .name("localhost"), port: 9153)
}

extension PrometheusDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...1, usage: "prometheus [ADDRESS]")
    if let token = line.arguments.first { address = try line.listenAddress(token) }
    for option in statement.body { throw option.failure("unknown option: \(option.name.text)") }
  }
}
