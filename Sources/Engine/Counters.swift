import Memory

/// Upper bounds of the histograms of spec a.10.
public enum Buckets {
  /// Nanoseconds: 0.00025 s × 2^k, k = 0…15.
  public static let durations = 16
  public static func duration(_ k: Int) -> UInt64 { 250_000 << UInt64(k) }

  /// The bucket of a duration: `durations` is +Inf.
  @inline(__always) static func index(ofDuration nanoseconds: UInt64) -> Int {
    if nanoseconds <= 250_000 { return 0 }
    let above = (nanoseconds &- 1) / 250_000  // ≥ 1
    return min(durations, 64 &- above.leadingZeroBitCount)
  }

  /// Bytes.
  public static let sizes: [Int] = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000]
  public static let sizeCount = 14

  @inline(__always) static func index(ofSize bytes: Int) -> Int {
    if bytes <= 400 { return (bytes &+ 99) / 100 }
    if bytes <= 511 { return 5 }
    if bytes <= 1023 { return 6 }
    if bytes <= 2047 { return 7 }
    if bytes <= 4095 { return 8 }
    if bytes <= 8291 { return 9 }
    if bytes <= 16000 { return 10 }
    return bytes <= 32000 ? 11 : bytes <= 48000 ? 12 : bytes <= 64000 ? 13 : 14
  }
}

/// Types that have a label of their own in metrics (spec a.10), by slot.
public enum CountedType {
  public static let labels = [
    "other", "A", "AAAA", "CNAME", "DNSKEY", "DS", "MX", "NSEC3", "NSEC", "NS", "PTR", "RRSIG", "SOA", "SRV", "TXT",
    "HTTPS", "IXFR", "AXFR", "ANY",
  ]

  @inline(__always) static func slot(_ type: UInt16) -> Int {
    switch type {
    case 1: 1
    case 28: 2
    case 5: 3
    case 48: 4
    case 43: 5
    case 15: 6
    case 50: 7
    case 47: 8
    case 2: 9
    case 12: 10
    case 46: 11
    case 6: 12
    case 33: 13
    case 16: 14
    case 65: 15
    case 251: 16
    case 252: 17
    case 255: 18
    default: 0
    }
  }
}

/// Who made an answer: `plugin` in metrics.
public enum Writer: UInt8, CaseIterable, Sendable {
  /// What a chain's answers have in common: its cache, or its upstreams.
  case chain
  /// Nobody: a response code of our own.
  case nobody
  case acl, any, dns64, rewrite, minimal, template, hosts, whoami

  /// Of `allCases`: as a number that the compiler knows, for offsets that are made of it.
  static let count = 10
}

/// What one shard has counted. The shard adds; any thread reads. All are 64-bit words in one region:
/// a block per listener and zone (the last zone is 'dropped': refused and malformed), one per upstream, one of its own.
public struct Counters: Sendable {
  private let memory: Bytes
  /// What the shards of earlier fabrics had counted, in the same places.
  private let before: Bytes
  private let zones: Int
  private let upstreamStart: Int
  private let shardStart: Int

  /// Offsets of words in a block of a listener and zone.
  public enum Query {
    /// Transport × family × type.
    public static let requests = 0
    public static let types = 19
    /// Writer × response code: codes 0…22; the last stands for all others.
    public static let responses = requests + 2 * 2 * types
    public static let rcodes = 24
    public static let durations = responses + Writer.count * rcodes
    public static let durationSum = durations + Buckets.durations + 1
    /// Transport × bucket, then the sum.
    public static let requestSizes = durationSum + 1
    public static let sizeWords = Buckets.sizeCount + 2
    public static let responseSizes = requestSizes + 2 * sizeWords
    public static let dnssecOK = responseSizes + 2 * sizeWords
    public static let hits = dnssecOK + 1  // success, denial
    public static let misses = hits + 2
    /// Answers whose question was not the one asked.
    public static let drops = misses + 1
    /// Answers asked for anew with nobody waiting, and expired ones given.
    public static let prefetches = drops + 1
    public static let servedStale = prefetches + 1
    public static let words = servedStale + 1
  }

  /// Offsets of words in a block of an upstream.
  public enum Exchange {
    /// Response code × bucket, then the sum.
    public static let durations = 0
    public static let durationWords = Buckets.durations + 2
    public static let rcodes = 24
    /// Transport: questions sent on a connection that was there, and on a new one.
    public static let connectionHits = durations + rcodes * durationWords
    public static let connectionMisses = connectionHits + 2
    /// 1: not known to be down.
    public static let isUp = connectionMisses + 2
    public static let failedProbes = isUp + 1
    /// Of TLS: full, resumed, failed.
    public static let handshakes = failedProbes + 1
    public static let words = handshakes + 3
  }

  /// The shard's own words.
  public enum Shard: Int, CaseIterable, Sendable {
    /// Messages received, by datagram and by stream. Each has exactly one outcome: it is in `replies`, in `ignored`, or
    /// in `droppedBacklog`, `droppedNoSlot`, `droppedClientGone` or `droppedRingRefused`.
    case datagrams, frames
    /// Replies handed to the kernel, or to a stream's output.
    case replies
    case streams, streamsRefused
    /// Messages that are no query: too short, a response, larger than a buffer.
    case ignored
    /// Messages answered with FORMERR, NOTIMP or BADVERS: like CoreDNS's, the series per zone do not count them.
    case malformed
    /// Messages without a reply: too many of one client for the time there is, no room for a reply, the stream gone or not
    /// read from, the ring forbidden.
    case droppedBacklog, droppedNoSlot, droppedClientGone, droppedRingRefused
    /// Of `replies`, those that the kernel refused to send.
    case droppedNotSent
    case eventsLost
    /// Queries that got SERVFAIL for want of room: none is left, what is left is for other clients, or for the cluster's
    /// names.
    case refusedQuestions, refusedMail, refusedClient, refusedExternal
    case joined, timeouts, concurrencyRejects
    /// Questions asked elsewhere early; and that found all upstreams down.
    case hedged, allDown
    case buffersExhausted
    /// Datagrams from upstreams that answer nothing that was asked of them.
    case mismatches
    case insertsRefused
    /// Expired answers given: before upstream was asked, since it failed, took too long, or said that there is none.
    case staleAtOnce, staleFailed, staleLate, staleDenied
    /// Questions that wait for an upstream now.
    case pending
    /// Clients of whose datagrams the kernel drops a part.
    case throttled
    /// Datagrams, and streams with input, that wait to be looked at.
    case unread
    /// Milliseconds that the oldest of them has waited.
    case oldest
    /// Times that the ring gave it something to do, or woke it: a shard that goes on counts here when it is woken.
    case turns
  }

  static func bytes(_ settings: Settings) -> Int {
    let blocks = settings.listeners.count * (settings.zones.count + 1) * Query.words
    return 8 * (blocks + settings.upstreams.count * Exchange.words + Shard.allCases.count)
  }

  init(_ memory: Bytes, before: Bytes, _ settings: Settings) {
    precondition(Writer.count == Writer.allCases.count)
    self.memory = memory
    self.before = before
    zones = settings.zones.count + 1
    upstreamStart = settings.listeners.count * zones * Query.words
    shardStart = upstreamStart + settings.upstreams.count * Exchange.words
  }

  @inline(__always) private func block(_ listener: Int, _ zone: Int) -> Int {
    (listener &* zones &+ zone) &* Query.words
  }

  /// The zone that counts what no zone serves.
  public var dropped: Int { zones - 1 }

  public func read(listener: Int, zone: Int, _ word: Int) -> UInt64 {
    total(block(listener, zone) + word)
  }

  private func total(_ word: Int) -> UInt64 { memory.loadRelaxed(word * 8) &+ before.loadRelaxed(word * 8) }

  public func read(upstream: Int, _ word: Int) -> UInt64 {
    total(upstreamStart + upstream * Exchange.words + word)
  }

  public func read(_ word: Shard) -> UInt64 { total(shardStart + word.rawValue) }

  /// Takes over what `old` has counted of the same listeners, zones and upstreams. May be repeated while it counts on.
  func carry(_ old: Counters, _ succession: Succession) {
    func carry(_ from: Int, to: Int, words: Int, but gauge: Int? = nil) {
      for word in 0..<words where word != gauge { before.storeRelaxed(old.total(from + word), at: (to + word) * 8) }
    }
    for (listener, new) in succession.listeners.enumerated() {
      guard let new else { continue }
      carry(old.block(listener, old.dropped), to: block(new, dropped), words: Query.words)
      for pair in succession.counted[listener] {
        carry(old.block(listener, pair.old), to: block(new, pair.new), words: Query.words)
      }
    }
    for (upstream, new) in succession.upstreams.enumerated() {
      guard let new else { continue }
      carry(
        old.upstreamStart + upstream * Exchange.words, to: upstreamStart + new * Exchange.words, words: Exchange.words,
        but: Exchange.isUp)
    }
    // What stands behind is of the moment.
    carry(old.shardStart, to: shardStart, words: Self.Shard.pending.rawValue)
  }

  @inline(__always) func add(_ word: Shard, _ amount: Int = 1) {
    memory.count((shardStart &+ word.rawValue) &* 8, by: UInt64(amount))
  }

  @inline(__always) func set(_ word: Shard, _ value: Int) {
    memory.storeRelaxed(UInt64(value), at: (shardStart &+ word.rawValue) &* 8)
  }

  @inline(__always) func add(listener: Int, zone: Int, _ word: Int) {
    memory.count((block(listener, zone) &+ word) &* 8)
  }

  /// One query answered.
  @inline(__always) func answered(
    listener: Int, zone: Int, stream: Bool, ipv6: Bool, type: UInt16, rcode: UInt16, dnssecOK: Bool,
    requestSize: Int, responseSize: Int, duration: UInt64, by writer: Writer = .chain
  ) {
    let words = memory.slice(block(listener, zone) &* 8, Query.words &* 8)
    let transport = stream ? 1 : 0
    let request = (transport &* 2 &+ (ipv6 ? 1 : 0)) &* Query.types &+ CountedType.slot(type)
    words.count((Query.requests &+ request) &* 8)
    let code = Int(writer.rawValue) &* Query.rcodes &+ min(Int(rcode), Query.rcodes &- 1)
    words.count((Query.responses &+ code) &* 8)
    words.count((Query.durations &+ Buckets.index(ofDuration: duration)) &* 8)
    if duration > 0 { words.count(Query.durationSum &* 8, by: duration) }
    count(size: requestSize, in: words, at: Query.requestSizes &+ transport &* Query.sizeWords)
    count(size: responseSize, in: words, at: Query.responseSizes &+ transport &* Query.sizeWords)
    if dnssecOK { words.count(Query.dnssecOK &* 8) }
  }

  @inline(__always) private func count(size: Int, in words: Bytes, at word: Int) {
    words.count((word &+ Buckets.index(ofSize: size)) &* 8)
    words.count((word &+ Buckets.sizeCount &+ 1) &* 8, by: UInt64(truncatingIfNeeded: size))
  }

  /// One exchange with an upstream, successful.
  func exchanged(upstream: Int, rcode: UInt16, duration: UInt64) {
    let base = upstreamStart &+ upstream &* Exchange.words
    let row = base &+ Exchange.durations &+ min(Int(rcode), Exchange.rcodes &- 1) &* Exchange.durationWords
    memory.count((row &+ Buckets.index(ofDuration: duration)) &* 8)
    memory.count((row &+ Buckets.durations &+ 1) &* 8, by: duration)
  }

  func asked(upstream: Int, stream: Bool, reused: Bool) {
    let base = upstreamStart &+ upstream &* Exchange.words
    memory.count((base &+ (reused ? Exchange.connectionHits : Exchange.connectionMisses) &+ (stream ? 1 : 0)) &* 8)
  }

  public enum Handshake: Int, CaseIterable, Sendable { case full, resumed, failed }

  func handshake(_ end: Handshake, upstream: Int) {
    memory.count((upstreamStart &+ upstream &* Exchange.words &+ Exchange.handshakes &+ end.rawValue) &* 8)
  }

  func failedProbe(upstream: Int) {
    memory.count((upstreamStart &+ upstream &* Exchange.words &+ Exchange.failedProbes) &* 8)
  }

  func setUp(upstream: Int, _ isUp: Bool) {
    memory.storeRelaxed(isUp ? 1 : 0, at: (upstreamStart &+ upstream &* Exchange.words &+ Exchange.isUp) &* 8)
  }
}
