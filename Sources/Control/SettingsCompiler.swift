import Chain
import Corefile
import Engine
import Glibc
import TLS

/// A Corefile that says something this version cannot do.
public struct CompileError: Error, Sendable, CustomStringConvertible {
  public let location: SourceLocation
  public let message: String
  public var description: String { "\(location) - \(message)" }
}

extension Settings {
  /// What shards are to do for a configuration.
  ///
  /// - Parameters:
  ///   - shards: The cache that the Corefile asks for is split among them.
  ///   - cacheBytes: The most that all shards' caches may take together.
  ///   - counts: For what its directives count.
  ///   - addresses: The addresses an interface has now; empty if there is no such interface.
  public init(
    _ configuration: Configuration, shards: Int, cacheBytes: Int, counts: ChainCounts = ChainCounts(),
    addresses: (_ interface: String) -> [IPAddress] = interfaceAddresses
  ) throws(CompileError) {
    self.init()
    var zonesOf: [Endpoint: [Int]] = [:]
    var order: [Endpoint] = []
    var timeouts: [Endpoint: Timeouts] = [:]
    var labels: [Endpoint: String] = [:]
    for block in configuration.blocks {
      let chain = try add(block, counts)
      let hosts = try Self.hosts(block, addresses)
      for key in block.keys {
        let zone = zones.count
        zones.append(Zone(name: key.zone.wire, chain: chain, label: key.zone.text, content: block.content))
        for host in hosts {
          let endpoint = Endpoint(address: host, port: key.port)
          if zonesOf[endpoint] == nil {
            order.append(endpoint)
            labels[endpoint] = block.bind.isEmpty ? "dns://:\(key.port)" : "dns://\(endpoint)"
          }
          // Those of the first block that has some, for a connection may ask all of them.
          if let own = block.timeouts { timeouts[endpoint] = timeouts[endpoint] ?? Timeouts(own) }
          zonesOf[endpoint, default: []].append(zone)
        }
      }
    }
    for endpoint in order {
      let served = zonesOf[endpoint]!
      let group = groups.firstIndex(of: served) ?? groups.count
      if group == groups.count { groups.append(served) }
      var listener = Listener(
        address: socketAddress(endpoint), isWildcard: endpoint.address.bytes.allSatisfy { $0 == 0 }, group: group,
        label: labels[endpoint]!)
      listener.timeouts = timeouts[endpoint] ?? Timeouts()
      listeners.append(listener)
    }
    sizeCaches(configuration.blocks.compactMap(\.cache), shards: shards, limit: cacheBytes)
  }

  private static func hosts(
    _ block: ServerBlock, _ addresses: (String) -> [IPAddress]
  ) throws(CompileError) -> [IPAddress] {
    // Nothing to bind to is everything: one dual-stack socket, as Go listens.
    if block.bind.isEmpty { return [IPAddress("::")!] }
    var hosts: [IPAddress] = []
    for bind in block.bind {
      var excepted: [IPAddress] = []
      for one in bind.except {
        switch one {
        case .address(let address): excepted.append(address)
        case .interface(let name): excepted += addresses(name)
        }
      }
      for one in bind.addresses {
        switch one {
        case .address(let address): hosts.append(address)
        case .interface(let name):
          let found = addresses(name)
          if found.isEmpty {
            throw CompileError(
              location: bind.location, message: "bind: no interface '\(name)' with an address; expected one, or an IP")
          }
          hosts += found
        }
      }
      hosts.removeAll { excepted.contains($0) }
    }
    var distinct: [IPAddress] = []
    for host in hosts where !distinct.contains(host) { distinct.append(host) }
    return distinct
  }

  private mutating func add(_ block: ServerBlock, _ counts: ChainCounts) throws(CompileError) -> Int {
    var chain = Chain()
    chain.label = block.zones.map(\.text).joined(separator: ",")
    chain.logsQueries = !block.log.isEmpty
    chain.logsErrors = block.errors != nil
    chain.taps = !block.dnstap.isEmpty
    try Self.check(block.errors)
    if let cache = block.cache { chain.cache = Cache(cache) }
    chain.front = Front(block)
    chain.translates = block.dns64 != nil
    do {
      chain.resolver = try ChainResolver(block, counts)
    } catch {
      throw CompileError(location: error.location, message: error.message)
    }
    for forward in block.forward { chain.forwards.append(try add(forward)) }
    chains.append(chain)
    return chains.count - 1
  }

  private static func check(_ errors: ErrorsDirective?) throws(CompileError) {
    guard let errors else { return }
    for one in errors.consolidations {
      do {
        _ = try Pattern(one.pattern)
      } catch {
        throw CompileError(location: errors.location, message: "plugin/errors: error parsing regexp: \(error)")
      }
    }
  }

  private mutating func add(_ forward: ForwardDirective) throws(CompileError) -> Forward {
    let start = upstreams.count
    let context = forward.usesTLS ? try TLSContext(forward) : nil
    for target in forward.targets {
      var upstream = Upstream(address: socketAddress(target.endpoint), label: "\(target.endpoint)")
      if let context, target.transport == .tls {
        let name = try ServerName(of: target, forward)
        upstream.tls = { OpenSSLClient(context, name) }
      }
      upstreams.append(upstream)
    }
    var compiled = Forward(upstreams: start..<upstreams.count)
    compiled.from = forward.from.wire
    compiled.except = forward.except.map(\.wire)
    compiled.transport = forward.forcesTCP || forward.usesTLS ? .tcp : forward.prefersUDP ? .udp : .mirrored
    compiled.maxConcurrent = forward.maxConcurrent
    compiled.expire = UInt64(max(0, forward.expire.nanoseconds))
    compiled.maxFails = forward.maxFails
    compiled.healthCheck.interval = UInt64(max(0, forward.healthCheck.interval.nanoseconds))
    compiled.healthCheck.recursionDesired = forward.healthCheck.recursionDesired
    compiled.healthCheck.domain = forward.healthCheck.domain.wire
    compiled.maxConnectAttempts = forward.maxConnectAttempts
    compiled.failover = forward.failover.reduce(0) { $0 | 1 << UInt32($1.value) }
    compiled.next = forward.next.reduce(0) { $0 | 1 << UInt32($1.value) }
    compiled.failsFast = forward.failsFastWhenAllDown
    compiled.policy =
      switch forward.policy {
      case .random: .random
      case .roundRobin: .roundRobin
      case .sequential: .sequential
      }
    return compiled
  }

  /// Entries to bytes: what a Corefile counts in answers, the memory counts in bytes.
  private mutating func sizeCaches(_ caches: [CacheDirective], shards: Int, limit: Int) {
    var success = caches.reduce(0) { $0 + $1.success.capacity } * Fabric.entryBytes
    var denial = caches.reduce(0) { $0 + $1.denial.capacity } * Fabric.entryBytes
    if success + denial > limit {
      success = Int(Double(limit) * Double(success) / Double(success + denial))
      denial = limit - success
    }
    successBytes = max(Self.minimumStore, success / shards)
    denialBytes = max(Self.minimumStore, denial / shards)
  }

  /// Room for a few of the largest answers.
  private static let minimumStore = 512 << 10
}

extension Directive {
  /// Whether anything is done for it; `trace` and `pprof` are read and do nothing.
  var isServed: Bool { self != .trace && self != .pprof }
}

extension Settings.Timeouts {
  init(_ directive: TimeoutsDirective) {
    self.init()
    read = UInt64(directive.read.nanoseconds)
    write = UInt64(directive.write.nanoseconds)
    idle = UInt64(directive.idle.nanoseconds)
  }
}

extension Settings.Cache {
  init(_ directive: CacheDirective) {
    self.init()
    zones = directive.zones.map(\.wire)
    successMax = directive.success.maximumTTL
    successMin = directive.success.minimumTTL
    denialMax = directive.denial.maximumTTL
    denialMin = directive.denial.minimumTTL
    servfail = UInt32(clamping: directive.servfail.nanoseconds / 1_000_000_000)
    keepTTL = directive.keepsTTL
    disableSuccess = directive.success.disabledZones.map(\.wire)
    disableDenial = directive.denial.disabledZones.map(\.wire)
    prefetch = directive.prefetch.map {
      Settings.Prefetch(
        hits: UInt32(clamping: $0.hits), window: UInt64($0.window.nanoseconds), percentage: $0.percentage)
    }
    serveStale = directive.serveStale.map { Settings.ServeStale($0, prefersPositive: directive.prefersPositive) }
  }
}

extension Settings.ServeStale {
  fileprivate init(_ directive: CacheDirective.ServeStale, prefersPositive: Bool) {
    self.init(limit: UInt32(clamping: directive.limit.nanoseconds / 1_000_000_000))
    isImmediate = directive.refresh == .immediate
    if directive.timeout > .zero { wait = UInt64(directive.timeout.nanoseconds) }
    ttl = UInt32(clamping: directive.ttl.nanoseconds / 1_000_000_000)
    recheck = UInt64(directive.recheck.nanoseconds)
    self.prefersPositive = prefersPositive
  }
}

extension ServerBlock {
  /// What its cached answers depend on beside the question. Upstreams of a zone are taken to serve the same zone.
  fileprivate var content: String {
    let shaping: Set<Directive> = [.any, .cache, .dns64, .hosts, .minimal, .rewrite, .template, .whoami]
    return lines.filter { shaping.contains($0.directive) }.map { "\($0.directive.rawValue) \($0.text)" }
      .joined(separator: "\n")
  }
}

/// A sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)).
func socketAddress(_ endpoint: Endpoint) -> [UInt8] {
  let port = [UInt8(endpoint.port >> 8), UInt8(endpoint.port & 0xFF)]
  if endpoint.address.isIPv4 {
    return [UInt8(AF_INET), 0] + port + endpoint.address.bytes + [UInt8](repeating: 0, count: 8)
  }
  let scope = endpoint.address.scope.map { name in unsafe name.withCString { unsafe if_nametoindex($0) } } ?? 0
  return [UInt8(AF_INET6), 0] + port + [0, 0, 0, 0] + endpoint.address.bytes
    + (0..<4).map { UInt8(truncatingIfNeeded: scope >> ($0 * 8)) }
}

/// The addresses of a network interface (getifaddrs(3)).
public func interfaceAddresses(_ name: String) -> [IPAddress] {
  var list: UnsafeMutablePointer<ifaddrs>?
  guard unsafe getifaddrs(&list) == 0 else { return [] }
  defer { unsafe freeifaddrs(list) }
  var found: [IPAddress] = []
  var entry = unsafe list
  // The list is the C library's until freeifaddrs; each address is as long as its family says.
  while let current = unsafe entry {
    if unsafe String(cString: current.pointee.ifa_name) == name, let address = unsafe current.pointee.ifa_addr {
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN) + 1)
      let family = unsafe Int32(address.pointee.sa_family)
      let from = unsafe UnsafeRawPointer(address) + (family == AF_INET ? 4 : 8)
      if family == AF_INET || family == AF_INET6,
        unsafe inet_ntop(family, from, &text, socklen_t(text.count)) != nil
      {
        let digits = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        if let parsed = IPAddress(String(decoding: digits, as: UTF8.self)) { found.append(parsed) }
      }
    }
    unsafe entry = current.pointee.ifa_next
  }
  return found
}
