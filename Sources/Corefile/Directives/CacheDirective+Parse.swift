extension CacheDirective {
  init(_ statement: Statement, zones blockZones: [ZoneName], session: ParseSession) throws(CorefileError) {
    let line = statement.line
    location = line.location
    var arguments = line.arguments
    if let first = arguments.first, Int(first.text) != nil {
      let ttl = try CacheDirective.maximumTTL(first, line)
      success.maximumTTL = ttl
      denial.maximumTTL = ttl
      arguments = arguments.dropFirst()
    }
    zones = arguments.isEmpty ? blockZones : try line.zones(arguments, session: session)
    for option in statement.body { try add(option, session: session) }
  }

  private mutating func add(_ option: Line, session: ParseSession) throws(CorefileError) {
    let arguments = Array(option.arguments)
    switch option.name.text {
    case "success": try success.read(option)
    case "denial": try denial.read(option)
    case "prefetch": try readPrefetch(option)
    case "serve_stale": try readServeStale(option)
    case "serve_stale_policy":
      try option.requireArguments(1...1, usage: "serve_stale_policy prefer_positive")
      guard arguments[0].text.lowercased() == "prefer_positive" else {
        throw option.failure(
          "invalid serve_stale_policy: \(arguments[0].text), expected prefer_positive", at: arguments[0])
      }
      prefersPositive = true
    case "servfail":
      try option.requireArguments(1...1, usage: "servfail DURATION")
      servfail = try option.timeSpan(arguments[0])
      if servfail > .seconds(300) {
        throw option.failure("caching SERVFAIL responses over 5 minutes is not permitted", at: arguments[0])
      }
    case "disable":
      try option.requireArguments(1...Int.max, usage: "disable success|denial [ZONES...]")
      let zones = arguments.count == 1 ? [.root] : try option.zones(option.arguments.dropFirst(), session: session)
      switch arguments[0].text {
      case "success": success.disabledZones = zones
      case "denial": denial.disabledZones = zones
      default:
        throw option.failure("cache type for disable must be \"success\" or \"denial\"", at: arguments[0])
      }
    case "keepttl":
      try option.requireNoArguments()
      keepsTTL = true
    default: throw option.unknownProperty()
    }
  }

  private mutating func readPrefetch(_ option: Line) throws(CorefileError) {
    try option.requireArguments(1...3, usage: "prefetch AMOUNT [DURATION] [PERCENTAGE%]")
    let arguments = Array(option.arguments)
    let hits = try option.number(arguments[0], in: 0...Int(Int32.max), "prefetch amount")
    var wanted = Prefetch(hits: hits, window: .seconds(60), percentage: 10)
    if arguments.count > 1 { wanted.window = try option.timeSpan(arguments[1]) }
    if arguments.count > 2 {
      var percentage = arguments[2]
      guard percentage.text.hasSuffix("%") else {
        throw option.failure("last character of percentage should be `%`: \"\(percentage.text)\"", at: percentage)
      }
      percentage.text.removeLast()
      wanted.percentage = try option.number(percentage, in: 10...90, "percentage")
    }
    prefetch = hits == 0 ? nil : wanted
  }

  private mutating func readServeStale(_ option: Line) throws(CorefileError) {
    try option.requireArguments(
      0...5,
      usage: "serve_stale [DURATION] [immediate [RESPONSE_TTL [FAILURE_RECHECK]] "
        + "| verify [VERIFY_TIMEOUT [RESPONSE_TTL [FAILURE_RECHECK]]]]")
    let arguments = Array(option.arguments)
    var stale = ServeStale(limit: .seconds(3600), refresh: .immediate)
    if let limit = arguments.first { stale.limit = try option.timeSpan(limit) }
    if arguments.count > 1 {
      switch arguments[1].text.lowercased() {
      case "immediate": stale.refresh = .immediate
      case "verify": stale.refresh = .verify
      default:
        throw option.failure("invalid value for serve_stale refresh mode: \(arguments[1].text)", at: arguments[1])
      }
    }
    var rest = arguments.dropFirst(2)
    if stale.refresh == .verify, let timeout = rest.popFirst() { stale.timeout = try option.timeSpan(timeout) }
    if let token = rest.popFirst() {
      stale.ttl = try option.timeSpan(token)
      guard stale.ttl.nanoseconds % TimeSpan.seconds(1).nanoseconds == 0, stale.ttl <= .seconds(Int32.max) else {
        throw option.failure("serve_stale response TTL must be whole seconds: \(token.text)", at: token)
      }
    }
    if let token = rest.popFirst() {
      stale.recheck = try option.timeSpan(token)
      if stale.recheck > .seconds(300) {
        throw option.failure("serve_stale failure recheck must not exceed 5 minutes: \(token.text)", at: token)
      }
    }
    if let token = rest.first {
      throw option.failure("serve_stale: nothing follows the failure recheck: \(token.text)", at: token)
    }
    serveStale = stale
  }

  fileprivate static func maximumTTL(_ token: Token, _ line: Line) throws(CorefileError) -> UInt32 {
    // 2^31 - 1 is the largest TTL there is (RFC 2181 section 8).
    let ttl = try line.number(token, in: Int.min...Int(Int32.max), "cache TTL")
    if ttl <= 0 { throw line.failure("cache TTL can not be zero or negative: \(ttl)", at: token) }
    return UInt32(ttl)
  }
}

extension CacheDirective.Store {
  fileprivate mutating func read(_ option: Line) throws(CorefileError) {
    try option.requireArguments(1...3, usage: "\(option.name.text) CAPACITY [TTL] [MINTTL]")
    let arguments = Array(option.arguments)
    let wanted = try option.number(arguments[0], in: Int.min...Int.max, "capacity")
    capacity = max(wanted / 256, 4) * 256
    if arguments.count > 1 { maximumTTL = try CacheDirective.maximumTTL(arguments[1], option) }
    if arguments.count > 2 {
      let ttl = try option.number(arguments[2], in: Int.min...Int(Int32.max), "cache min TTL")
      if ttl < 0 { throw option.failure("cache min TTL can not be negative: \(ttl)", at: arguments[2]) }
      minimumTTL = UInt32(ttl)
    }
  }
}
