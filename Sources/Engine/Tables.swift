import Memory
import Upstream
import Wire

/// Names in wire format, in one region; a list of them is a range of indices.
struct NameTable: ~Copyable {
  private let memory: Region  // per name: 1 byte of length, the name
  private var count = 0

  init(capacity: Int) { memory = Region(size: max(capacity, 1) * 256) }

  subscript(index: Int) -> Bytes { memory.bytes.slice(index &* 256 &+ 1, Int(memory.bytes[index &* 256])) }

  mutating func add(_ names: [[UInt8]]) -> IndexRange {
    let start = count
    for name in names {
      precondition(!name.isEmpty && name.count <= Name.maxLength)
      memory.bytes[count * 256] = UInt8(name.count)
      for (i, octet) in name.enumerated() { memory.bytes[count * 256 + 1 + i] = octet }
      count += 1
    }
    return IndexRange(start: start, count: names.count)
  }

  /// Whether `name` is one of the range's or below one.
  func contains(_ range: IndexRange, above name: Bytes) -> Bool {
    var index = range.start
    while index < range.start &+ range.count {
      if Name.hasSuffix(name, self[index]) { return true }
      index &+= 1
    }
    return false
  }
}

struct IndexRange: BitwiseCopyable {
  var start = 0
  var count = 0

  func contains(_ index: Int) -> Bool { index >= start && index < start &+ count }
}

/// `Settings.Chain` without arrays: what the query path reads.
struct Chain: BitwiseCopyable {
  var caches = false
  var cacheZones = IndexRange()
  var successMax: UInt32 = 0
  var successMin: UInt32 = 0
  var denialMax: UInt32 = 0
  var denialMin: UInt32 = 0
  var servfail: UInt32 = 0
  var keepTTL = false
  /// Hits, milliseconds and percent of `prefetch`; 0 hits: there is none.
  var prefetchHits: UInt32 = 0
  var prefetchWindow: UInt64 = 0
  var prefetchPercentage = 0
  /// `serve_stale`: seconds after expiry, whether before upstream is asked, nanoseconds until then otherwise (0: there
  /// is none), seconds of TTL, milliseconds between refreshes that fail, and whether denials leave answers alone.
  var staleFor: UInt32 = 0
  var staleAtOnce = false
  var staleWait: UInt64 = 0
  var staleTTL: UInt32 = 0
  var staleRecheck: UInt64 = 0
  var prefersPositive = false
  var disableSuccess = IndexRange()
  var disableDenial = IndexRange()
  var forwards = IndexRange()
  var logsQueries = false
  var logsErrors = false
  var taps = false
  /// Has directives in front of the cache, or is tapped.
  var needsEveryQuery = false
  /// Its fresh answers need nothing but to be sent.
  var isPlain = true
  /// A question may be asked while its answer is cached, and that is not to be lost.
  var holdsOn = false
  /// Has directives behind it that answer or change questions.
  var resolves = false

  init(_ settings: Settings.Chain, firstForward: Int, _ names: inout NameTable) {
    if let cache = settings.cache {
      caches = true
      cacheZones = names.add(cache.zones)
      successMax = cache.successMax
      successMin = cache.successMin
      denialMax = cache.denialMax
      denialMin = cache.denialMin
      servfail = cache.servfail
      keepTTL = cache.keepTTL
      if let prefetch = cache.prefetch {
        (prefetchHits, prefetchWindow) = (prefetch.hits, prefetch.window / 1_000_000)
        prefetchPercentage = prefetch.percentage
      }
      if let stale = cache.serveStale {
        (staleFor, staleTTL, staleRecheck) = (stale.limit, stale.ttl, stale.recheck / 1_000_000)
        staleAtOnce = stale.isImmediate
        staleWait = min(stale.wait, ShardLimits.staleWait)
        prefersPositive = stale.prefersPositive
      }
      disableSuccess = names.add(cache.disableSuccess)
      disableDenial = names.add(cache.disableDenial)
    }
    logsQueries = settings.logsQueries
    logsErrors = settings.logsErrors
    taps = settings.taps
    needsEveryQuery = settings.front != nil || taps
    resolves = settings.resolver != nil
    isPlain = !needsEveryQuery && prefetchHits == 0
    holdsOn = staleFor > 0 || prefetchHits > 0
    forwards = IndexRange(start: firstForward, count: settings.forwards.count)
  }
}

struct Forward: BitwiseCopyable {
  var from: IndexRange
  var except: IndexRange
  var upstreams: IndexRange
  var policy: Settings.Forward.Policy
  var transport: Settings.Forward.Asking
  var maxConcurrent: Int
  var expire: UInt64
  /// Sends of one question, and connects that may fail under it.
  var sends: UInt8
  var refusals: UInt8
  var failover: UInt32
  var next: UInt32
  var failsFast: Bool
  /// The probe's name, and how often it is sent.
  var probeName: Int
  var probeInterval: UInt64
  var probesRecursively: Bool
  /// Questions of it pending now, and its turn counter for round robin.
  var pending = 0
  var turn = 0

  init(_ settings: Settings.Forward, _ names: inout NameTable) {
    from = names.add([settings.from])
    except = names.add(settings.except)
    upstreams = IndexRange(start: settings.upstreams.lowerBound, count: settings.upstreams.count)
    policy = settings.policy
    transport = settings.transport
    maxConcurrent = settings.maxConcurrent
    expire = settings.expire
    sends = max(Pool.Limits.sends, UInt8(clamping: settings.upstreams.count))
    refusals = UInt8(
      clamping: settings.maxConnectAttempts == 0 ? 2 * settings.upstreams.count : Int(settings.maxConnectAttempts))
    failover = settings.failover
    next = settings.next
    failsFast = settings.failsFast
    probeName = names.add([settings.healthCheck.domain]).start
    probeInterval = settings.healthCheck.interval
    probesRecursively = settings.healthCheck.recursionDesired
  }
}

struct Zone: BitwiseCopyable {
  var name: Int
  var chain: Int
  /// The root, where others are served too: names that are none of the cluster's.
  var isExternal: Bool
}

/// All of `Settings` that queries touch, in tables that do not change after start but for counters.
struct Tables: ~Copyable {
  var names: NameTable
  let zones: Table<Zone>
  let zoneOrder: Table<Int>  // zone indices, group by group, longest name first
  let groups: Table<IndexRange>
  /// A negative one is the complement of a group with a chain that translates.
  let listenerGroups: Table<Int>
  let timeouts: Table<Settings.Timeouts>
  let chains: Table<Chain>
  var forwards: Table<Forward>
  /// The forward that each upstream belongs to.
  let forwardOfUpstream: Table<Int>

  init(_ settings: Settings) {
    let listed = settings.chains.reduce(0) { sum, chain in
      sum + (chain.cache.map { $0.zones.count + $0.disableSuccess.count + $0.disableDenial.count } ?? 0)
        + chain.forwards.reduce(0) { $0 + 2 + $1.except.count }
    }
    var names = NameTable(capacity: settings.zones.count + listed)
    var zones: [Zone] = []
    let hasOthers = settings.zones.contains { $0.name != [0] }
    for zone in settings.zones {
      zones.append(
        Zone(name: names.add([zone.name]).start, chain: zone.chain, isExternal: hasOthers && zone.name == [0]))
    }
    var zoneOrder: [Int] = []
    var groups: [IndexRange] = []
    for group in settings.groups {
      groups.append(IndexRange(start: zoneOrder.count, count: group.count))
      zoneOrder += group.sorted { settings.zones[$0].name.count > settings.zones[$1].name.count }
    }
    var chains: [Chain] = []
    var forwards: [Forward] = []
    for chain in settings.chains {
      chains.append(Chain(chain, firstForward: forwards.count, &names))
      for forward in chain.forwards { forwards.append(Forward(forward, &names)) }
    }
    self.zones = Table(zones)
    self.zoneOrder = Table(zoneOrder)
    self.groups = Table(groups)
    listenerGroups = Table(
      settings.listeners.map { listener in
        let zones = settings.groups[listener.group]
        return zones.contains { settings.chains[settings.zones[$0].chain].translates }
          ? ~listener.group : listener.group
      })
    timeouts = Table(settings.listeners.map(\.timeouts))
    self.chains = Table(chains)
    self.forwards = Table(forwards)
    forwardOfUpstream = Table(
      settings.upstreams.indices.map { upstream in
        forwards.firstIndex { $0.upstreams.contains(upstream) } ?? 0
      })
    self.names = names
  }

  /// Above the number of a key's group: answers for IPv6 clients alone, and for IPv4 clients alone.
  private static let forIPv6: UInt16 = 1 << 14
  private static let forIPv4: UInt16 = 2 << 14
  private static let number: UInt16 = 1 << 14 - 1

  /// What the keys of a query have for a group that came to a listener where some chain translates.
  @inline(never) func translatedGroup(_ group: Int, _ query: Query, _ sender: Bytes) -> Int {
    guard query.type == RecordType.aaaa, query.recordClass == RecordClass.in else { return group }
    return group | Int(Peer.isIPv6(sender) ? Self.forIPv6 : Self.forIPv4)
  }

  /// Whether the number in a key is that of a group.
  func hasGroup(_ group: UInt16) -> Bool { Int(group & Self.number) < groups.count }

  /// The zone of `group` with the longest name that is `name` or above it, or nil. A DS question belongs to the
  /// parent's side of a cut (RFC 4035 §3.1.4.1), so it goes to the shortest but the root (spec a.6).
  func zone(_ group: UInt16, of name: Bytes, isDS: Bool) -> Int? {
    let range = groups[Int(group & Self.number)]
    var found: Int?
    var index = range.start
    while index < range.start &+ range.count {
      let zone = zoneOrder[index]
      if Name.hasSuffix(name, names[zones[zone].name]) {
        if found != nil, names[zones[zone].name].count == 1 { return found }
        found = zone
        if !isDS { return found }
      }
      index &+= 1
    }
    return found
  }

  /// The forward of `chain` that takes `name`, after the one given, or nil.
  func forward(_ chain: Int, of name: Bytes, after: Int = -1) -> Int? {
    let range = chains[chain].forwards
    var index = max(range.start, after &+ 1)
    while index < range.start &+ range.count {
      if names.contains(forwards[index].from, above: name), !names.contains(forwards[index].except, above: name) {
        return index
      }
      index &+= 1
    }
    return nil
  }
}
