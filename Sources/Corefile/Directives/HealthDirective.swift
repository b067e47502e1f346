/// `health [ADDRESS] { lameduck DURATION }`: the `/health` endpoint.
public struct HealthDirective: Hashable, Sendable {
  public var location: SourceLocation
  public var address = ListenAddress(host: .any, port: 8080)
  /// How long queries are still answered after the signal to end.
  public var lameduck = TimeSpan.zero
}

extension HealthDirective {
  /// A second `health` in a block changes what it names, as in CoreDNS.
  static func add(_ statement: Statement, to health: inout HealthDirective?) throws(CorefileError) {
    let line = statement.line
    try line.requireArguments(0...1, usage: "health [ADDRESS]")
    var wanted = health ?? HealthDirective(location: line.location)
    if let address = line.arguments.first { wanted.address = try line.listenAddress(address) }
    for option in statement.body {
      guard option.name.text == "lameduck" else { throw option.unknownProperty() }
      try option.requireArguments(1...1, usage: "lameduck DURATION")
      wanted.lameduck = try option.timeSpan(option.words[1])
    }
    health = wanted
  }
}
