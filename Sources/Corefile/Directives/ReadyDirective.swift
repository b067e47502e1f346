/// `ready [ADDRESS]`: an HTTP endpoint that says whether queries are served.
public struct ReadyDirective: Hashable, Sendable {
  public var location: SourceLocation
  public var address = ListenAddress(host: .any, port: 8181)
}

extension ReadyDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...1, usage: "ready [ADDRESS]")
    try statement.requireNoBody()
    if let token = line.arguments.first { address = try line.listenAddress(token) }
  }
}
