/// `timeouts { read D; write D; idle D }`: bounds on clients' TCP connections.
public struct TimeoutsDirective: Hashable, Sendable {
  public var location: SourceLocation
  /// Each from 1 s to 24 h.
  public var read = TimeSpan.seconds(3)
  public var write = TimeSpan.seconds(5)
  public var idle = TimeSpan.seconds(10)
}

extension TimeoutsDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireNoArguments()
    if statement.body.isEmpty { throw line.failure("timeouts block with no timeouts specified") }
    for option in statement.body {
      try option.requireArguments(1...1, usage: "\(option.name.text) DURATION")
      let time = try TimeoutsDirective.time(option)
      switch option.name.text {
      case "read": read = time
      case "write": write = time
      case "idle": idle = time
      default: throw option.failure("unknown option: '\(option.name.text)'")
      }
    }
  }

  /// A bare number is in seconds, here alone.
  private static func time(_ option: Line) throws(CorefileError) -> TimeSpan {
    var token = option.words[1]
    if Int(token.text) != nil { token.text += "s" }
    let time = try option.timeSpan(token)
    guard time >= .seconds(1), time <= .seconds(24 * 3600) else {
      throw option.failure("timeout provided '\(time)' needs to be between 1 second and 24 hours", at: token)
    }
    return time
  }
}
