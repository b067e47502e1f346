extension ForwardDirective {
  init(_ statement: Statement, session: ParseSession) throws(CorefileError) {
    let line = statement.line
    try line.requireArguments(2...Int.max, usage: "forward FROM TO...")
    location = line.location
    // A network between two octets names several zones; CoreDNS serves the first.
    from = try line.zones(line.words[1...1], session: session)[0]
    targets = try ForwardTarget.targets(line, session: session)
    for option in statement.body { try add(option, session: session) }
    if let tlsServerName, let named = targets.first(where: { $0.serverName != nil }) {
      throw line.failure(
        "both forward ('\(tlsServerName)') and proxy level ('\(named.serverName ?? "")') TLS servernames are set for "
          + "upstream proxy '\(named)'")
    }
  }

  private mutating func add(_ option: Line, session: ParseSession) throws(CorefileError) {
    switch option.name.text {
    case "except":
      try option.requireArguments(1...Int.max, usage: "except NAMES...")
      except += try option.zones(option.arguments, session: session)
    case "force_tcp":
      try option.requireNoArguments()
      forcesTCP = true
    case "prefer_udp":
      try option.requireNoArguments()
      prefersUDP = true
    case "expire": expire = try option.timeSpan(try argument(option, "DURATION"))
    case "max_fails": maxFails = try count(option)
    case "max_connect_attempts": maxConnectAttempts = try count(option)
    case "max_concurrent": maxConcurrent = Int(try count(option))
    case "health_check": healthCheck = try HealthCheck(option)
    case "policy":
      let name = try argument(option, "random|round_robin|sequential")
      guard let wanted = Policy(rawValue: name.text) else {
        throw option.failure("unknown policy '\(name.text)'", at: name)
      }
      policy = wanted
    case "next": next += try responseCodes(option)
    case "failover":
      let codes = try responseCodes(option)
      if codes.contains(.noError) { throw option.failure("NoError cannot be used in failover") }
      failover += codes
    case "failfast_all_unhealthy_upstreams":
      try option.requireNoArguments()
      failsFastWhenAllDown = true
    case "tls": tls = try TLSFiles(option)
    case "tls_servername": tlsServerName = try argument(option, "NAME").text
    default: throw option.unknownProperty()
    }
  }

  private func argument(_ option: Line, _ usage: String) throws(CorefileError) -> Token {
    try option.requireArguments(1...1, usage: "\(option.name.text) \(usage)")
    return option.words[1]
  }

  private func count(_ option: Line) throws(CorefileError) -> UInt32 {
    let token = try argument(option, "NUMBER")
    return UInt32(try option.number(token, in: 0...Int(UInt32.max), option.name.text))
  }

  private func responseCodes(_ option: Line) throws(CorefileError) -> [ResponseCode] {
    try option.requireArguments(1...Int.max, usage: "\(option.name.text) RCODES...")
    var codes: [ResponseCode] = []
    for token in option.arguments { codes.append(try option.responseCode(token)) }
    return codes
  }
}

extension ForwardDirective.HealthCheck {
  fileprivate init(_ option: Line) throws(CorefileError) {
    let usage = "health_check DURATION [no_rec] [domain FQDN]"
    try option.requireArguments(1...4, usage: usage)
    interval = try option.timeSpan(option.words[1])
    var index = 2
    while index < option.words.count {
      let token = option.words[index]
      switch token.text {
      case "no_rec": recursionDesired = false
      case "domain":
        index += 1
        guard index < option.words.count else { throw option.wrongCount(usage: usage) }
        domain = try option.zone(option.words[index])
      default: throw option.failure("health_check: unknown option \(token.text)", at: token)
      }
      index += 1
    }
  }
}

extension ForwardDirective.TLSFiles {
  /// No file, the authorities, certificate and key, or all three.
  fileprivate init(_ option: Line) throws(CorefileError) {
    try option.requireArguments(0...3, usage: "tls [CERT KEY] [CA]")
    location = option.location
    var files = option.arguments.map(\.text)
    if files.count != 2 { authorities = files.popLast() }
    if files.count == 2 {
      certificate = files[0]
      key = files[1]
    }
  }
}
