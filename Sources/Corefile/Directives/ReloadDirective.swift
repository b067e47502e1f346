/// `reload [INTERVAL [JITTER]]`: how often the Corefile is looked at for changes.
public struct ReloadDirective: Hashable, Sendable {
  public var location: SourceLocation
  /// At least 2 s.
  public var interval = TimeSpan.seconds(30)
  /// From 1 s to half of `interval`; what is waited is the interval plus or minus up to half of this.
  public var jitter = TimeSpan.seconds(15)
}

extension ReloadDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(0...2, usage: "reload [INTERVAL [JITTER]]")
    try statement.requireNoBody()
    let arguments = Array(line.arguments)
    if let token = arguments.first {
      interval = try line.timeSpan(token)
      if interval < .seconds(2) {
        throw line.failure("interval value must be greater or equal to 2s", at: token)
      }
    }
    if arguments.count > 1 {
      jitter = try line.timeSpan(arguments[1])
      if jitter < .seconds(1) {
        throw line.failure("jitter value must be greater or equal to 1s", at: arguments[1])
      }
    }
    jitter = min(jitter, TimeSpan(nanoseconds: interval.nanoseconds / 2))
  }
}
