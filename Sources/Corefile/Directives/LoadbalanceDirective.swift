/// `loadbalance [round_robin | weighted FILE { reload DURATION }] { prefer NETWORKS... }`: the order of addresses.
public struct LoadbalanceDirective: Hashable, Sendable {
  public enum Policy: Hashable, Sendable {
    /// Shuffled.
    case roundRobin
    /// The first address by the weights of a file that is read again each `reload`.
    case weighted(path: String, reload: TimeSpan)
  }

  public var location: SourceLocation
  public var policy = Policy.roundRobin
  /// Addresses of these networks come first, in this order.
  public var preferred: [IPNetwork] = []
}

extension LoadbalanceDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    let arguments = Array(line.arguments)
    switch arguments.first?.text {
    case nil: break
    case "round_robin":
      try line.requireArguments(1...1, usage: "loadbalance round_robin")
    case "weighted":
      try line.requireArguments(2...2, usage: "loadbalance weighted FILE")
      policy = .weighted(path: arguments[1].text, reload: .seconds(30))
    default: throw line.failure("unknown policy: \(arguments[0].text)", at: arguments[0])
    }
    for option in statement.body { try add(option) }
  }

  private mutating func add(_ option: Line) throws(CorefileError) {
    switch (option.name.text, policy) {
    case ("reload", .weighted(let path, _)):
      try option.requireArguments(1...1, usage: "reload DURATION")
      policy = .weighted(path: path, reload: try option.timeSpan(option.words[1]))
    case ("prefer", _):
      for token in option.arguments {
        guard let network = IPNetwork(token.text) else {
          throw option.failure("invalid CIDR \"\(token.text)\"", at: token)
        }
        preferred.append(network)
      }
    default: throw option.unknownProperty()
    }
  }
}
