import Engine

extension Settings {
  /// One listener, one zone (the root) with a cache, forwarding to `upstreams` upstreams.
  package static func simulated(
    upstreams count: Int = 1, transport: Settings.Forward.Asking = .tcp, policy: Settings.Forward.Policy = .random,
    cacheBytes: Int = 1 << 20, caches: Bool = true
  ) -> Settings {
    var settings = Settings()
    settings.upstreams = (0..<count).map(Upstream.init(server:))
    var cache = Cache()
    cache.zones = [[0]]
    var forward = Forward(upstreams: 0..<count)
    forward.transport = transport
    forward.policy = policy
    var chain = Chain()
    if caches { chain.cache = cache }
    chain.forwards = [forward]
    chain.logsErrors = true
    settings.chains = [chain]
    settings.zones = [Zone(name: [0], chain: 0, label: ".")]
    settings.groups = [[0]]
    settings.listeners = [Listener(number: 0, group: 0)]
    settings.successBytes = cacheBytes
    settings.denialBytes = cacheBytes
    return settings
  }

  /// Servers that know the names below `lab` otherwise than the rest, as the last ones of a world have it.
  package static let labServers = 2

  /// Two listeners, of which the first serves a zone `lab` beside the root, each zone with a cache of its own rules and
  /// some of the `servers` servers to ask: something else at each draw.
  package static func drawn(_ chance: inout Chance, servers: Int) -> Settings {
    var settings = Settings()
    settings.listeners = [Listener(number: 0, group: 0), Listener(number: 1, group: 1)]
    settings.groups = [[0, 1], [0]]
    let all = [0..<servers - labServers, servers - labServers..<servers]
    for (zone, (name, label)) in [([0], "."), (Asked.label("lab") + [0], "lab.")].enumerated() {
      var chain = Chain()
      chain.forwards = [settings.forward(among: all[zone], &chance)]
      if chance.below(3) == 0 {
        // What the first does not take, or has no good answer to, is the second's.
        chain.forwards[0].next = responseCodes(&chance)
        if zone == 0, chance.below(2) == 0 { chain.forwards[0].except = [Asked.label("lab") + [0]] }
        chain.forwards.append(settings.forward(among: all[zone], &chance))
      }
      if chance.below(8) > 0 { chain.cache = Cache(&chance) }
      if chance.below(4) == 0 { chain.resolver = Errands() }
      chain.taps = chance.below(4) == 0
      chain.logsErrors = true
      settings.chains.append(chain)
      // Servers that are left out knew the same.
      let content = chain.cache.map { "\($0)" } ?? ""
      settings.zones.append(Zone(name: name, chain: zone, label: label, content: content))
    }
    settings.successBytes = 16_384 << chance.below(6)
    settings.denialBytes = settings.successBytes
    return settings
  }

  /// Some of the servers to ask, and how.
  private mutating func forward(among servers: Range<Int>, _ chance: inout Chance) -> Forward {
    let chosen = servers.filter { _ in chance.below(3) > 0 }
    let start = upstreams.count
    upstreams += (chosen.isEmpty ? Array(servers) : chosen).map(Upstream.init(server:))
    var forward = Forward(upstreams: start..<upstreams.count)
    forward.transport = [.tcp, .udp, .mirrored][chance.below(3)]
    forward.policy = [.random, .roundRobin, .sequential][chance.below(3)]
    if chance.below(4) == 0 { forward.failover = Self.responseCodes(&chance) }
    if chance.below(4) == 0 { forward.maxConcurrent = 1 << chance.below(12) }
    if chance.below(2) == 0 { forward.maxFails = UInt32(chance.below(4)) }
    if chance.below(4) == 0 { forward.maxConnectAttempts = UInt32(1 + chance.below(4)) }
    forward.failsFast = chance.below(4) == 0
    return forward
  }

  /// Bits of some that upstreams answer with: NOERROR among them, SERVFAIL, NXDOMAIN, REFUSED.
  private static func responseCodes(_ chance: inout Chance) -> UInt32 {
    [0, 2, 3, 5].reduce(0) { chance.below(2) == 0 ? $0 | 1 << $1 : $0 }
  }

  /// The number of a server among all that a world has.
  static func server(of upstream: Upstream) -> Int { Int(upstream.address[7]) - 1 }
}

extension Settings.Cache {
  fileprivate init(_ chance: inout Chance) {
    self.init()
    zones = [[0]]
    if chance.below(2) == 0 {
      successMin = UInt32(chance.below(10))
      denialMin = UInt32(chance.below(10))
      successMax = UInt32(10 + chance.below(50))
      denialMax = UInt32(10 + chance.below(50))
      servfail = UInt32(chance.below(10))
    }
    if chance.below(3) == 0 {
      prefetch = Settings.Prefetch(
        hits: UInt32(1 + chance.below(4)), window: 60 * second, percentage: 10 + chance.below(81))
    }
    if chance.below(2) == 0 {
      var stale = Settings.ServeStale(limit: UInt32(1 + chance.below(1000)))
      stale.isImmediate = chance.below(2) == 0
      if chance.below(2) == 0 { stale.wait = UInt64(chance.below(1000)) * millisecond }
      stale.ttl = UInt32(chance.below(2) * 30)
      stale.recheck = UInt64(chance.below(10)) * second
      stale.prefersPositive = chance.below(4) == 0
      serveStale = stale
    }
  }
}

extension Settings.Upstream {
  fileprivate init(server: Int) {
    self.init(
      address: [2, 0, 0, 53, 10, 0, 0, UInt8(server + 1)] + [UInt8](repeating: 0, count: 8),
      label: "10.0.0.\(server + 1):53")
  }
}

extension Settings.Listener {
  fileprivate init(number: UInt8, group: Int) {
    self.init(
      address: [2, 0, 0, 53, 127, 0, 0, 1 + number] + [UInt8](repeating: 0, count: 8), isWildcard: false, group: group,
      label: "dns://127.0.0.\(1 + number):53")
  }
}
