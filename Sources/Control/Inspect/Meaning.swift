import Corefile

extension ServerBlock {
  /// What one of the block's lines comes to, with the defaults that apply; nil where its words say all of it.
  func meaning(of line: DirectiveLine) -> String? {
    switch line.directive {
    case .bufsize: bufsize.map { "upstreams may answer with \($0.size) bytes over UDP" }
    case .cache: cache?.meaning
    case .dns64:
      dns64.map {
        "prefix \($0.prefix), for \($0.allowsIPv4Clients ? "every client" : "clients over IPv6"), "
          + "\($0.translatesAll ? "whatever AAAA there are" : "where there is no AAAA")"
      }
    case .forward: forward.first { $0.location == line.location }?.meaning
    case .health: health.map { "http \($0.address)/health, \($0.lameduck) lameduck" }
    case .hosts: hosts?.meaning
    case .log: log.first { $0.location == line.location }?.meaning
    case .prometheus: prometheus.map { "http \($0.address)/metrics" }
    case .ready: ready.map { "http \($0.address)/ready" }
    case .reload:
      reload.map { "looks every \($0.interval), give or take \(TimeSpan(nanoseconds: $0.jitter.nanoseconds / 2))" }
    case .template: template.first { $0.location == line.location }?.meaning
    case .timeouts: timeouts.map { "read \($0.read), write \($0.write), idle \($0.idle), of clients' connections" }
    default: nil
    }
  }
}

extension CacheDirective {
  var meaning: String {
    var parts = [success.meaning("answers"), denial.meaning("denials")]
    parts.append(servfail == .zero ? "no failures" : "failures for \(servfail)")
    if let prefetch {
      parts.append("refreshed after \(prefetch.hits) hits with \(prefetch.percentage) % of the TTL left")
    }
    if let serveStale { parts.append(serveStale.meaning(prefersPositive: prefersPositive)) }
    if keepsTTL { parts.append("TTLs as stored") }
    return parts.joined(separator: "; ")
  }
}

extension CacheDirective.ServeStale {
  fileprivate func meaning(prefersPositive: Bool) -> String {
    let longest = TimeSpan.milliseconds(1800)
    let wait = timeout == .zero ? longest : min(timeout, longest)
    let when =
      switch refresh {
      case .immediate: "then asked for anew"
      case .verify: "if upstream fails or takes longer than \(wait)"
      }
    var words = "used for \(limit) past expiry with TTL \(ttl), \(when)"
    if recheck > .zero { words += ", not again for \(recheck) after a failure" }
    return prefersPositive ? words + "; answers are kept when upstream denies them" : words
  }
}

extension CacheDirective.Store {
  fileprivate func meaning(_ what: String) -> String {
    let most = "\(capacity) \(what) for \(minimumTTL)s to \(maximumTTL)s"
    return disabledZones.isEmpty ? most : "\(most), none of \(disabledZones.map(\.text).joined(separator: " "))"
  }
}

extension ForwardDirective {
  /// Without `from` and `except`, which say which names it is for.
  var meaning: String {
    let plain = targets.contains { $0.transport == .dns }
    let transport =
      !plain ? "TLS" : usesTLS || forcesTCP ? "TCP" : prefersUDP ? "UDP" : "the client's transport"
    var parts = ["\(targets.map(\.description).joined(separator: ", ")) over \(transport)"]
    if usesTLS {
      parts.append("certificates of \(tls?.authorities ?? "the system's authorities")")
      if plain { parts.append("tls:// over TLS") }
    }
    if targets.count > 1 { parts.append("policy \(policy.rawValue)") }
    parts.append("connections idle for \(expire)")
    parts.append(
      maxFails == 0 ? "never down" : "down after \(maxFails + 1) failed checks, \(healthCheck.interval) apart")
    if maxConcurrent > 0 { parts.append("at most \(maxConcurrent) at once") }
    return parts.joined(separator: "; ")
  }
}

extension HostsDirective {
  var meaning: String {
    let file = reload == .zero ? "\(path), read once" : "\(path), looked at every \(reload)"
    return "\(file); TTL \(ttl)s; \(answersReverse ? "PTR too" : "no PTR"); \(unknownNames(fallsThrough))"
  }
}

extension TemplateDirective {
  var meaning: String {
    "names that match \(patterns.joined(separator: " or ")); \(rcodeLabel(Int(responseCode.value))); \(unknownNames(fallsThrough))"
  }
}

extension LogDirective {
  fileprivate var meaning: String {
    let classes = classes.map(\.rawValue).sorted().joined(separator: " ")
    return "queries for \(names.map(\.text).joined(separator: " ")), class \(classes)"
  }
}

/// What becomes of names that a directive does not know.
private func unknownNames(_ fallsThrough: [ZoneName]) -> String {
  switch fallsThrough {
  case []: "others fail"
  case [.root]: "others go on"
  default: "others of \(fallsThrough.map(\.text).joined(separator: " ")) go on"
  }
}
